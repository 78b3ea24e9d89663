package fabrics

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

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
