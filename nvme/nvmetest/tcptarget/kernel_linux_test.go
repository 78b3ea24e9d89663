package tcptarget_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/tcptarget"
)

func attach(t *testing.T, o tcptarget.Options, p nvmetest.Profile, changes ...func(*nvmetest.Profile)) (*nvmetest.Drive, *tcptarget.Attached) {
	t.Helper()
	fixture.RequireRoot(t)
	if _, err := os.Stat(tcptarget.FabricsDevice); err != nil {
		t.Skipf("needs the kernel modules nvme-fabrics and nvme-tcp: %v", err)
	}
	drive, err := nvmetest.New(p, changes...)
	require.NoError(t, err)
	o.Logf = t.Logf
	a, err := tcptarget.Attach(t.Context(), drive, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return drive, a
}

func TestKernelIdentifies(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    tcptarget.Options
		p    nvmetest.Profile
	}{
		{"consumer", tcptarget.Options{}, nvmetest.Consumer()},
		{"header digest", tcptarget.Options{HeaderDigest: true}, nvmetest.Consumer()},
		{"both digests", tcptarget.Options{HeaderDigest: true, DataDigest: true}, nvmetest.Consumer()},
		{"enterprise", tcptarget.Options{}, nvmetest.Enterprise()},
		{"old", tcptarget.Options{}, nvmetest.Old12()},
		{"qemu", tcptarget.Options{}, nvmetest.QEMU()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			drive, a := attach(t, tc.o, tc.p)
			c, err := nvme.Open(t.Context(), a.Node())
			require.NoError(t, err)
			defer c.Close()
			id, err := c.Identify(t.Context())
			require.NoError(t, err)
			require.Equal(t, drive.Profile().Controller.SerialNumber, id.SerialNumber)
			list, err := a.Namespaces()
			require.NoError(t, err)
			for _, n := range list {
				t.Logf("%+v", n)
			}
		})
	}
}
