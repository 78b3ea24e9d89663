package nvmetest_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

func newDrive(t testing.TB, p nvmetest.Profile, changes ...func(*nvmetest.Profile)) *nvmetest.Drive {
	t.Helper()
	d, err := nvmetest.New(p, changes...)
	require.NoError(t, err)
	return d
}

// profiles are all that the package has.
var profiles = map[string]func() nvmetest.Profile{
	"Consumer": nvmetest.Consumer, "Enterprise": nvmetest.Enterprise, "Old12": nvmetest.Old12, "QEMU": nvmetest.QEMU,
}

func TestEveryProfileAnswersWhatItClaims(t *testing.T) {
	for name, profile := range profiles {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			d := newDrive(t, profile())
			c := nvme.NewController(d)
			id, err := c.Identify(ctx)
			require.NoError(t, err)
			require.Equal(t, nvmetest.SerialNumber, id.SerialNumber)
			require.Equal(t, uint16(1), id.ControllerID)
			spaces, err := c.ActiveNamespaces(ctx)
			require.NoError(t, err)
			require.NotEmpty(t, spaces)
			smart, err := c.SMARTLog(ctx)
			require.NoError(t, err)
			require.Equal(t, 38, smart.Temperature.Celsius())
			slots, err := c.FirmwareSlotLog(ctx)
			require.NoError(t, err)
			require.Equal(t, id.FirmwareRevision, slots.Revision(slots.Active()))
			for _, f := range profile().Features {
				caps, err := c.FeatureCapabilities(ctx, f, 0)
				if id.NVMCommands&nvme.SupportsFeatureSave == 0 {
					require.ErrorIs(t, err, nvme.StatusInvalidField)
					continue
				}
				require.NoError(t, err, "feature %v", f)
				require.NotZero(t, caps&nvme.FeatureChangeable)
			}
		})
	}
}

func TestReadReturnsWhatWasWritten(t *testing.T) {
	ctx := t.Context()
	for name, profile := range profiles {
		t.Run(name, func(t *testing.T) {
			c := nvme.NewController(newDrive(t, profile()))
			ns, err := c.Namespace(ctx, 1)
			require.NoError(t, err)
			want := bytes.Repeat([]byte{1, 2, 3, 4}, 4096)
			require.NoError(t, ns.Write(ctx, 120, want, nvme.IOOptions{}))
			got := make([]byte, len(want))
			require.NoError(t, ns.Read(ctx, 120, got, nvme.IOOptions{}))
			require.Equal(t, want, got)
			require.NoError(t, ns.Read(ctx, 5000, got, nvme.IOOptions{}))
			require.Equal(t, make([]byte, len(want)), got, "never written")
			require.NoError(t, ns.Flush(ctx))
		})
	}
}

func BenchmarkSubmit(b *testing.B) {
	d := newDrive(b, nvmetest.Consumer())
	data := make([]byte, 4096)
	for _, bench := range []struct {
		name string
		cmd  nvme.Command
	}{
		{"read 4 KiB", nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IORead, NSID: 1, CDW12: 7, Data: data}},
		{"write 4 KiB", nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, NSID: 1, CDW12: 7, Data: data}},
		{"flush", nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IOFlush, NSID: 1}},
		{"get features", nvme.Command{Opcode: nvme.AdminGetFeatures, CDW10: uint32(nvme.FeaturePowerManagement)}},
		{"refused", nvme.Command{Opcode: 0xbf}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Submit(b.Context(), bench.cmd); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestNamespaceOnTheCallersMedia(t *testing.T) {
	ctx := t.Context()
	f, err := os.Create(filepath.Join(t.TempDir(), "media"))
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(1<<20))
	_, err = f.WriteAt([]byte("already here"), 512)
	require.NoError(t, err)
	d := newDrive(t, nvmetest.Enterprise(), func(p *nvmetest.Profile) {
		p.Namespaces = []nvmetest.NamespaceConfig{{Blocks: 2048, Media: f}}
	})
	c := nvme.NewController(d)
	ns, err := c.Namespace(ctx, 1)
	require.NoError(t, err)
	block := make([]byte, 512)
	require.NoError(t, ns.Read(ctx, 1, block, nvme.IOOptions{}))
	require.Equal(t, "already here", string(block[:12]))
	copy(block, "written anew")
	require.NoError(t, ns.Write(ctx, 2, block, nvme.IOOptions{}))
	require.NoError(t, ns.DatasetManagement(ctx, nvme.Deallocate, nvme.DatasetRange{LBA: 1, Blocks: 1}))
	got := make([]byte, 2*512)
	_, err = f.ReadAt(got, 512)
	require.NoError(t, err)
	require.Equal(t, append(make([]byte, 512), block...), got)
	require.NoError(t, c.Sanitize(ctx, nvme.SanitizeOptions{Action: nvme.Overwrite, Pattern: 0x55aa55aa, NoDeallocate: true}))
	d.Advance(time.Hour)
	_, err = f.ReadAt(got, 512)
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte{0xaa, 0x55}, 512), got)

	// Media that fails is a medium error.
	require.NoError(t, f.Close())
	require.ErrorIs(t, ns.Read(ctx, 1, block, nvme.IOOptions{}), nvme.StatusUnrecoveredRead)
	require.ErrorIs(t, ns.Write(ctx, 1, block, nvme.IOOptions{}), nvme.StatusWriteFault)
	smart, err := c.SMARTLog(ctx)
	require.NoError(t, err)
	require.Equal(t, nvme.Uint128{Lo: 2}, smart.MediaErrors)
}

func TestProfilesThatContradictThemselves(t *testing.T) {
	for want, change := range map[string]func(*nvmetest.Profile){
		"NN is 0, want 1 to 1024":                                 func(p *nvmetest.Profile) { p.Controller.NamespaceCount = 0 },
		"2 namespaces, want at most NN, 1":                        func(p *nvmetest.Profile) { p.Controller.NamespaceCount = 1 },
		"0 LBA formats, want 1 to 64":                             func(p *nvmetest.Profile) { p.Formats = nil },
		"FRMW has no firmware slot, want 1 to 7":                  func(p *nvmetest.Profile) { p.Controller.FirmwareUpdates = 0 },
		"2 controllers, but CMIC bit 1 does not say so":           func(p *nvmetest.Profile) { p.Controller.MultiPath = 0 },
		"page size is 5000, want a power of two from 4096":        func(p *nvmetest.Profile) { p.PageSize = 5000 },
		"active firmware slot 3 is empty":                         func(p *nvmetest.Profile) { p.Firmware.Active = 3 },
		"firmware in 5 slots, but FRMW has 4":                     func(p *nvmetest.Profile) { p.Firmware.Slots = make([]string, 5) },
		"namespace 1: LBA format 10 is not offered":               func(p *nvmetest.Profile) { p.Namespaces[0].Format = 10 },
		"namespace 2: no blocks":                                  func(p *nvmetest.Profile) { p.Namespaces[1].Blocks = 0 },
		"firmware revision \"123456789\" in slot 1, want at most": func(p *nvmetest.Profile) { p.Firmware.Slots[0] = "123456789" },
	} {
		_, err := nvmetest.New(nvmetest.Enterprise(), change)
		require.ErrorContains(t, err, `nvmetest: profile "Enterprise": `+want)
	}
}

func TestManyGoroutines(t *testing.T) {
	d := newDrive(t, nvmetest.Enterprise())
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			c := nvme.NewController(d.Controller(uint16(g%2 + 1)))
			data := make([]byte, 512)
			for i := range 200 {
				cmd := nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, NSID: 1, CDW10: uint32(g*1000 + i), Data: data}
				data[0] = byte(g)
				_, err := c.Do(t.Context(), cmd)
				ok := err == nil || errors.Is(err, nvme.StatusSanitizeInProgress) || errors.Is(err, nvme.StatusAbortedByHost)
				if !ok {
					t.Errorf("write: %v", err)
				}
				switch {
				case g == 3 && i%50 == 0:
					_ = c.Sanitize(t.Context(), nvme.SanitizeOptions{Action: nvme.CryptoEraseMedia})
				case g == 4 && i%40 == 0:
					d.Reset(nvmetest.ControllerReset)
				case g == 5:
					d.Advance(time.Second)
				}
			}
		})
	}
	wg.Wait()
}
