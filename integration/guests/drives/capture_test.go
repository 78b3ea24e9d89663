package drives

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
)

// A page is what the drive answers to one command, as bytes and as nvme-cli
// decodes them.
type page struct {
	name string
	cli  string // nvme-cli's command, less the device
	read func(t *testing.T, c *nvme.Controller) []byte
}

func identify(r nvme.IdentifyRequest) func(*testing.T, *nvme.Controller) []byte {
	return func(t *testing.T, c *nvme.Controller) []byte {
		b, err := c.IdentifyPage(t.Context(), r)
		require.NoError(t, err)
		return b
	}
}

func log(id nvme.LogPageID, size int) func(*testing.T, *nvme.Controller) []byte {
	return func(t *testing.T, c *nvme.Controller) []byte {
		b := make([]byte, size)
		require.NoError(t, c.LogPage(t.Context(), nvme.LogPageRequest{ID: id}, b))
		return b
	}
}

// errorLog reads as many entries as there are, as nvme-cli does.
func errorLog(t *testing.T, c *nvme.Controller) []byte {
	id, err := c.Identify(t.Context())
	require.NoError(t, err)
	return log(nvme.LogErrors, 64*(int(id.ErrorLogEntries)+1))(t, c)
}

var pages = []page{
	{"id-ctrl", "id-ctrl", identify(nvme.IdentifyRequest{CNS: nvme.CNSController})},
	{"list-ns", "list-ns", identify(nvme.IdentifyRequest{CNS: nvme.CNSActiveNamespaces})},
	{"ns-descs", "ns-descs -n 1", identify(nvme.IdentifyRequest{CNS: nvme.CNSDescriptors, NSID: 1})},
	{"nvm-id-ctrl", "nvm-id-ctrl", identify(nvme.IdentifyRequest{CNS: nvme.CNSCommandSetController})},
	{"error-log", "error-log", errorLog},
	{"smart-log", "smart-log", log(nvme.LogSMART, 512)},
	{"fw-log", "fw-log", log(nvme.LogFirmwareSlots, 512)},
	{"effects-log", "effects-log -c 0", log(nvme.LogCommandEffects, 4096)},
}

// idNS is captured once for each LBA format of formats.
var idNS = page{"id-ns", "id-ns -n 1", identify(nvme.IdentifyRequest{CNS: nvme.CNSNamespace, NSID: 1})}

var formats = map[string]nvme.FormatOptions{
	"id-ns-512":    {NSID: 1, Format: 0},
	"id-ns-4096-8": {NSID: 1, Format: 5, ExtendedLBA: true, Protection: 1, ProtectionFirst: true},
}

// features are read in this order, which the transcript keeps; and nvme-cli's
// arguments for the same.
var features = []struct {
	feature nvme.Feature
	nsid    uint32
	cli     string
}{
	{new(nvme.Arbitration), 0, "-f 0x01"},
	{new(nvme.PowerManagement), 0, "-f 0x02"},
	{new(nvme.TemperatureThreshold), 0, "-f 0x04"},
	{&nvme.TemperatureThreshold{Under: true}, 0, "-f 0x04 -c 0x100000"},
	{new(nvme.ErrorRecovery), 1, "-f 0x05 -n 1"},
	{new(nvme.VolatileWriteCache), 0, "-f 0x06"},
	{new(nvme.NumberOfQueues), 0, "-f 0x07"},
	{new(nvme.InterruptCoalescing), 0, "-f 0x08"},
	{&nvme.InterruptVector{Vector: 1}, 0, "-f 0x09 -c 1"},
	{new(nvme.WriteAtomicity), 0, "-f 0x0a"},
	{new(nvme.AsyncEvents), 0, "-f 0x0b"},
	{new(nvme.CommandSetProfile), 0, "-f 0x19"},
}

// TestCapture writes pages of the drive and nvme-cli's decoding of the same bytes
// into the artifact directory, and wants the bytes to have held still meanwhile.
// nvme/testdata/qemu/capture.sh runs it, and keeps what it writes as the goldens
// of package nvme.
func TestCapture(t *testing.T) {
	c, path := drive(t)
	dir := t.ArtifactDir()
	for name, o := range formats {
		require.NoError(t, c.Format(t.Context(), o))
		p := idNS
		p.name = name
		p.capture(t, c, path, dir)
	}
	require.NoError(t, c.Format(t.Context(), nvme.FormatOptions{NSID: 1}))
	for _, p := range pages {
		p.capture(t, c, path, dir)
	}
	captureFeatures(t, c, path, dir)
}

func (p *page) capture(t *testing.T, c *nvme.Controller, path, dir string) {
	t.Helper()
	const tries = 10 // the SMART log moves when something else uses the drive
	for range tries {
		before := p.read(t, c)
		args := strings.Fields(p.cli)
		theirs := cli(t, append([]string{args[0], path}, args[1:]...)...)
		if !bytes.Equal(before, p.read(t, c)) {
			continue
		}
		b, err := json.MarshalIndent(theirs, "", " ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, p.name+".bin"), before, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, p.name+".json"), append(b, '\n'), 0o644))
		return
	}
	t.Errorf("%s: the page has changed in each of %d tries", p.name, tries)
}

// captureFeatures writes a transcript of Get Features, and nvme-cli's text of
// each: of features it knows no JSON.
func captureFeatures(t *testing.T, c *nvme.Controller, path, dir string) {
	var transcript, text bytes.Buffer
	recorded := nvme.NewController(nvme.NewRecorder(c.Transport(), &transcript))
	for _, f := range features {
		require.NoError(t, recorded.ReadFeature(t.Context(), f.feature, nvme.FeatureOptions{NSID: f.nsid}))
		cmd := exec.Command(fixture.RequireTool(t, "nvme"), append([]string{"get-feature", path, "-H"}, strings.Fields(f.cli)...)...)
		out, err := cmd.Output()
		require.NoError(t, err, "%v", cmd.Args)
		fmt.Fprintf(&text, "%s\n", bytes.TrimSpace(out))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "features.jsonl"), transcript.Bytes(), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "features.txt"), text.Bytes(), 0o644))
}
