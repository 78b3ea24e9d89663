package fabrics

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/guests/internal/nvmecli"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/tcptarget"
)

// TestPages lets nvme-cli and package nvme read the same pages through the kernel.
func TestPages(t *testing.T) {
	for _, p := range []nvmetest.Profile{nvmetest.Consumer(), nvmetest.Enterprise()} {
		t.Run(p.Name, func(t *testing.T) {
			d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(p, nvmetest.MultiPath))
			quiet(t)
			for _, tc := range []struct {
				page  string // and the flags of nvme-cli
				ours  func(ctx context.Context) (any, error)
				moves []string             // what is another each time
				reads func(map[string]any) // makes of nvme-cli's what it means
			}{
				{"id-ctrl", func(ctx context.Context) (any, error) { return d.Identify(ctx) }, nil, nil},
				{"id-ns -n 1", func(ctx context.Context) (any, error) { return d.IdentifyNamespace(ctx, 1) }, nil, nil},
				{"smart-log", func(ctx context.Context) (any, error) { return d.SMARTLog(ctx) },
					[]string{"data_units_read", "host_read_commands", "controller_busy_time"}, nil},
				{"fw-log", func(ctx context.Context) (any, error) { return d.FirmwareSlotLog(ctx) }, nil, readRevisions},
				{"sanitize-log", func(ctx context.Context) (any, error) { return d.SanitizeLog(ctx) }, nil, readEstimates},
				{"self-test-log", func(ctx context.Context) (any, error) { return d.SelfTestLog(ctx) }, nil, nil},
				{"ana-log", func(ctx context.Context) (any, error) { return d.ANALog(ctx) }, []string{"Asymmetric Namespace Access Log for NVMe device"}, nil},
			} {
				t.Run(tc.page, func(t *testing.T) {
					ours, err := tc.ours(t.Context())
					require.NoError(t, err)
					args := strings.Fields(tc.page)
					page, err := nvmecli.Page(t.Context(), fixture.RequireTool(t, "nvme"), append([]string{args[0], d.Attached.Node()}, args[1:]...)...)
					require.NoError(t, err)
					theirs, ok := page.(map[string]any)
					require.True(t, ok, "%v", page)
					if inner, ok := theirs[d.Attached.Name()].(map[string]any); ok { // by the device's name
						theirs = inner
					}
					for _, name := range tc.moves {
						delete(theirs, name)
					}
					if tc.reads != nil {
						tc.reads(theirs)
					}
					differences, err := nvmecli.Differences(ours, theirs)
					require.NoError(t, err)
					require.Empty(t, differences)
				})
			}
		})
	}
}

// readRevisions takes the text of firmware revisions: nvme-cli 2.3 has them as
// "2314885599773863473 (1.0.0...)".
func readRevisions(page map[string]any) {
	for name, v := range page {
		if _, text, ok := strings.Cut(fmt.Sprint(v), " ("); ok && strings.HasPrefix(name, "Firmware Rev") {
			page[name] = strings.TrimRight(text, ".)")
		}
	}
}

// readEstimates takes the signs off times of a sanitize that are not reported, and
// leaves out the words for a status, which has a number as well.
func readEstimates(page map[string]any) {
	for name, v := range page {
		if v == json.Number("-1") {
			page[name] = json.Number("4294967295")
		}
	}
	if status, ok := page["sstat"].(map[string]any); ok {
		delete(status, "status")
	}
}

// A step of a session with nvme-cli: a command line, with the device after the
// command, and what it has to print.
type step struct {
	args  string
	want  []string
	fails bool
	then  time.Duration // lets the drive's time pass afterwards
}

func TestSessions(t *testing.T) {
	dir := t.TempDir()
	image, bad := filepath.Join(dir, "image"), filepath.Join(dir, "bad")
	require.NoError(t, os.WriteFile(image, nvmetest.Firmware{Revision: "3.0.0"}.Image(), 0o600))
	require.NoError(t, os.WriteFile(bad, make([]byte, 8192), 0o600))
	for name, steps := range map[string][]step{
		"firmware": {
			{args: "fw-download -f " + bad + " -x 4096", want: []string{"success"}},
			{args: "fw-commit -s 3 -a 1", want: []string{"(0x6107)"}, fails: true},
			{args: "fw-download -f " + image + " -x 16384", want: []string{"success"}},
			{args: "fw-commit -s 1 -a 1", want: []string{"(0x6106)"}, fails: true},
			{args: "fw-commit -s 3 -a 1", want: []string{"Success committing firmware action:1 slot:3"}},
			{args: "fw-log", want: []string{"afi  : 0x32", "3.0.0"}},
			{args: "reset"},
			{args: "fw-log", want: []string{"afi  : 0x3", "3.0.0"}},
			{args: "id-ctrl", want: []string{"fr        : 3.0.0"}},
			{args: "fw-commit -s 2 -a 3", want: []string{"Success"}, then: 10 * time.Second},
			{args: "id-ctrl", want: []string{"fr        : 2.0.0"}},
		},
		"format": {
			{args: "format -n 1 -l 11 --force", want: []string{"(0x610a)"}, fails: true},
			{args: "format -n 1 -l 5 --force", want: []string{"Success formatting namespace:1"}},
			{args: "id-ns -n 1", want: []string{"nsze    : 0x20000", "lbaf  5 : ms:0   lbads:12 rp:0 (in use)"}},
		},
		"sanitize": {
			{args: "sanitize -a 2"},
			{args: "sanitize-log", want: []string{"(SPROG) :  0"}, then: 5 * time.Minute},
			{args: "sanitize-log", want: []string{"(SPROG) :  32768"}},
			{args: "fw-log", want: []string{"(0x201d)"}, fails: true, then: 5 * time.Minute},
			{args: "sanitize-log", want: []string{"(SPROG) :  65535"}},
		},
		"self-test": {
			{args: "device-self-test -n 1 -s 1", want: []string{"Short Device self-test started"}, then: 30 * time.Second},
			{args: "self-test-log", want: []string{"Current operation  : 0x1", "Current Completion : 25%"}},
			{args: "device-self-test -n 1 -s 1", want: []string{"(0x611d)"}, fails: true},
			{args: "device-self-test -n 1 -s 15", want: []string{"Aborting device self-test operation"}},
			{args: "self-test-log", want: []string{"Operation Result             : 0x1", "Self Test Code               : 1"}},
		},
		"features": {
			{args: "set-feature -f 4 -v 0x150", want: []string{"set-feature:0x04", "value:0x00000150"}},
			{args: "get-feature -f 4", want: []string{"0x00000150"}},
			{args: "get-feature -f 0x77", want: []string{"(0x6002)"}, fails: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fixture.RequireKernelNVMe(t)
			quiet(t)
			d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Enterprise(), func(p *nvmetest.Profile) { p.FormatTime = 30 * time.Second }))
			for _, s := range steps {
				args := strings.Fields(s.args)
				out, err := cli(t, append([]string{args[0], d.Attached.Node()}, args[1:]...)...)
				require.Equal(t, s.fails, err != nil, "nvme %s: %v\n%s", s.args, err, out)
				for _, want := range s.want {
					require.Contains(t, out, want, "nvme %s", s.args)
				}
				d.Emulated.Advance(s.then)
			}
		})
	}
}

const hostNQN = "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-4333-8444-555555555555"

// TestDiscoverConnectDisconnect does by nvme-cli what Attach does.
func TestDiscoverConnectDisconnect(t *testing.T) {
	fixture.RequireKernelNVMe(t)
	quiet(t, "nvme")
	drive, err := nvmetest.New(nvmetest.Consumer())
	require.NoError(t, err)
	target, err := tcptarget.Listen(t.Context(), drive, tcptarget.Options{HostNQN: hostNQN, NQN: "nqn.2014-08.org.nvmexpress:drivebay-discovered"})
	require.NoError(t, err)
	defer target.Close()
	where := []string{"-t", "tcp", "-a", "127.0.0.1", "-s", strconv.Itoa(target.Addr().Port), "--hostnqn=" + hostNQN,
		"--hostid=11111111-2222-4333-8444-555555555555"}

	out, err := cli(t, append([]string{"discover"}, where...)...)
	require.NoError(t, err, "%s", out)
	for _, want := range []string{"trtype:  tcp", "adrfam:  ipv4", "subtype: nvme subsystem", "subnqn:  " + target.NQN(), "traddr:  127.0.0.1"} {
		require.Contains(t, out, want)
	}
	out, err = cli(t, append([]string{"connect", "-n", target.NQN(), "-c", "1", "-l", "2"}, where...)...)
	require.NoError(t, err, "%s", out)
	inventory, err := nvme.Discover()
	require.NoError(t, err)
	s, err := inventory.BySerial(nvmetest.SerialNumber)
	require.NoError(t, err)
	require.Equal(t, target.NQN(), s.NQN)
	out, err = cli(t, "disconnect", "-n", target.NQN())
	require.NoError(t, err, "%s", out)
	require.Contains(t, out, "disconnected 1 controller(s)")

	other := slices.Clone(where)
	other[6] = "--hostnqn=" + hostNQN[:len(hostNQN)-1] + "6"
	out, err = cli(t, append([]string{"connect", "-n", target.NQN()}, other...)...)
	require.Error(t, err, "%s", out)
}
