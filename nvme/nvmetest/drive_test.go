package nvmetest_test

import (
	"bytes"
	"testing"

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
				caps, err := c.FeatureCapabilities(ctx, nvme.FeatureID(f), 0)
				if id.NVMCommands&nvme.SupportsFeatureSave == 0 {
					require.ErrorIs(t, err, nvme.StatusInvalidField)
					continue
				}
				require.NoError(t, err, "feature %v", nvme.FeatureID(f))
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
