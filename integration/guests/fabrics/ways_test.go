package fabrics

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// TestThreeWays runs the same tests on the emulated drive in this process, on the
// same drive behind the kernel's driver, and on QEMU's drive, if the environment
// names it.
func TestThreeWays(t *testing.T) {
	small := fixture.DriveProfile(nvmetest.QEMU())
	for name, body := range map[string]func(t *testing.T, d *fixture.NVMeDrive){
		"identify": testIdentify, "format": testFormat, "data": testData, "errors": testErrors, "reset": testReset,
	} {
		t.Run(name+"/in process", func(t *testing.T) { body(t, fixture.NVMe(t, small, fixture.InProcess())) })
		t.Run(name+"/via kernel", func(t *testing.T) { body(t, fixture.NVMe(t, small, fixture.ViaKernel())) })
		t.Run(name+"/device", func(t *testing.T) {
			if env := os.Getenv(fixture.NVMeEnv); env == "" || env == "kernel" {
				t.Skipf("%s names no drive", fixture.NVMeEnv)
			}
			body(t, fixture.NVMe(t))
		})
	}
}

func testIdentify(t *testing.T, d *fixture.NVMeDrive) {
	id, err := d.Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, "QEMU NVMe Ctrl", id.ModelNumber)
	require.Equal(t, d.Serial, id.SerialNumber)
	active, err := d.ActiveNamespaces(t.Context())
	require.NoError(t, err)
	require.Equal(t, nvme.NamespaceList{1}, active)
}

func testFormat(t *testing.T, d *fixture.NVMeDrive) {
	for _, size := range []int{4096, 512} {
		_, err := nvme.FormatNamespace(t.Context(), d.Controller, nvme.NamespaceFormat{
			Consent: nvme.Consent{Serial: d.Serial}, NSID: 1, BlockSize: size,
		})
		require.NoError(t, err)
		ns, err := d.Namespace(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, size, ns.BlockBytes())
	}
}

func testData(t *testing.T, d *fixture.NVMeDrive) {
	ns, err := d.Namespace(t.Context(), 1)
	require.NoError(t, err)
	want := bytes.Repeat([]byte("drivebay"), 8<<10)
	require.NoError(t, ns.Write(t.Context(), 8, want, nvme.IOOptions{}))
	require.NoError(t, ns.Flush(t.Context()))
	require.NoError(t, ns.Compare(t.Context(), 8, want, nvme.IOOptions{}))
	got := make([]byte, len(want))
	require.NoError(t, ns.Read(t.Context(), 8, got, nvme.IOOptions{}))
	require.Equal(t, want, got)
}

func testErrors(t *testing.T, d *fixture.NVMeDrive) {
	ns, err := d.Namespace(t.Context(), 1)
	require.NoError(t, err)
	_, err = d.Do(t.Context(), nvme.Command{Opcode: nvme.AdminGetLogPage, CDW10: 0x80 | 127<<16, NSID: nvme.BroadcastNSID, Data: make([]byte, 512)})
	require.ErrorIs(t, err, nvme.StatusInvalidField, "QEMU's answer for a log page that is not there")
	other := bytes.Repeat([]byte{0xff}, ns.BlockBytes())
	require.NoError(t, ns.Write(t.Context(), 0, make([]byte, ns.BlockBytes()), nvme.IOOptions{}))
	require.ErrorIs(t, ns.Compare(t.Context(), 0, other, nvme.IOOptions{}), nvme.StatusCompareFailure)
}

func testReset(t *testing.T, d *fixture.NVMeDrive) {
	before, err := d.Identify(t.Context())
	require.NoError(t, err)
	require.NoError(t, d.Reset(t.Context()))
	after, err := d.Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, after)
}
