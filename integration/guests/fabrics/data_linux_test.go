package fabrics

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// smallDrive is a drive of 64 MiB.
func smallDrive(p *nvmetest.Profile) {
	p.Namespaces = []nvmetest.NamespaceConfig{{Blocks: 64 << 20 / 512}}
}

// TestFileSystem keeps a file system on the drive, which survives a connection
// that is lost under it.
func TestFileSystem(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Consumer(), smallDrive))
	quiet(t, "nvme")
	device := node(t, d)
	run(t, "mkfs.ext4", "-q", device)
	dir, unmount := mount(t, device, "ext4")
	want := bytes.Repeat([]byte("drivebay"), 64<<10)
	for i := range 16 {
		if i == 8 {
			d.Attached.Target.Drop()
		}
		f, err := os.Create(filepath.Join(dir, strconv.Itoa(i)))
		require.NoError(t, err)
		_, err = f.Write(want)
		require.NoError(t, err)
		require.NoError(t, f.Sync())
		require.NoError(t, f.Close())
	}
	unmount()
	run(t, "e2fsck", "-fn", device)
	dir, _ = mount(t, device, "ext4")
	for i := range 16 {
		got, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(i)))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "file %d", i)
	}
}

// TestReadDuringSanitize is what a file's reader sees.
func TestReadDuringSanitize(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel())
	quiet(t, "nvme")
	node, err := d.Attached.NamespaceNode(1)
	require.NoError(t, err)
	require.NoError(t, d.Sanitize(t.Context(), nvme.SanitizeOptions{Action: nvme.BlockErase}))
	f, err := os.Open(node)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, 4096)
	_, err = f.ReadAt(b, 64<<20)
	require.ErrorIs(t, err, unix.EIO)
	d.Emulated.Advance(time.Hour)
	_, err = f.ReadAt(b, 64<<20)
	require.NoError(t, err)
}
