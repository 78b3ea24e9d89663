package erofs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
)

func TestKernelSeesEverything(t *testing.T) {
	for _, blockSize := range []int{512, 1024, 2048, 4096} {
		t.Run(fmt.Sprint(blockSize), func(t *testing.T) {
			tr := everything(t)
			addLongXattrs(t, tr)
			dir := mount(t, &erofs.FileSystem{Tree: tr, BlockSize: blockSize})
			requireSame(t, tr, dir, "holes/huge")
			requireNumbers(t, dir)
		})
	}
}

// The kernel and fsck.erofs read blocks that several files have.
func TestKernelSeesCopies(t *testing.T) {
	for _, blockSize := range []int{512, 4096} {
		t.Run(fmt.Sprint(blockSize), func(t *testing.T) {
			tr := copies(t)
			fs := &erofs.FileSystem{Tree: tr, BlockSize: blockSize, Deduplicate: true}
			requireSame(t, tr, mount(t, fs), "holes/huge")
			if blockSize == 4096 {
				tool(t, "fsck.erofs", write(t, fs, 0))
			}
		})
	}
}

// requireNumbers fails the test where the kernel sees other numbers of links than
// there should be, or other bytes in a large file that is a hole for the most part.
func requireNumbers(t *testing.T, dir string) {
	t.Helper()
	for path, links := range map[string]uint64{
		"sizes/4097": 3, "links/a/b": 3, "special/fifo": 2, "sizes/4096": 1, "modes": 8, "empty-dir": 2,
	} {
		var st unix.Stat_t
		require.NoError(t, unix.Lstat(filepath.Join(dir, path), &st))
		require.Equal(t, links, uint64(st.Nlink), path)
	}
	f, err := os.Open(filepath.Join(dir, "holes/huge"))
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	require.Equal(t, int64(100<<30), info.Size())
	got := make([]byte, 700000+20)
	_, err = f.ReadAt(got, 99<<30-10)
	require.NoError(t, err)
	want := slices.Concat(make([]byte, 10), sample.SparseBytes(filetree.Range{Offset: 99 << 30, Length: 700000}), make([]byte, 10))
	require.Equal(t, want, got)
}

// Linux 6.12 needs no block device, where it is configured so.
func TestKernelMountsTheFileItself(t *testing.T) {
	fixture.RequireRoot(t)
	fixture.RequireKernel(t, 6, 12)
	fixture.RequireFS(t, "erofs")
	for _, blockSize := range []int{512, 4096} {
		tr := everything(t)
		name := write(t, &erofs.FileSystem{Tree: tr, BlockSize: blockSize}, 0)
		requireSame(t, tr, mountFile(t, name), "holes/huge")
	}
}

// mountFile mounts an image file where only this process sees it, and returns where.
func mountFile(t *testing.T, name string) string {
	t.Helper()
	fs, err := unix.Fsopen("erofs", unix.FSOPEN_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(fs)
	require.NoError(t, unix.FsconfigSetFlag(fs, "ro"))
	require.NoError(t, unix.FsconfigSetString(fs, "source", name))
	err = unix.FsconfigCreate(fs)
	if errors.Is(err, unix.ENOTBLK) {
		t.Skip("the kernel is built without CONFIG_EROFS_FS_BACKED_BY_FILE")
	}
	require.NoError(t, err)
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(fd)) })
	return fmt.Sprintf("/proc/self/fd/%d/", fd)
}

func TestLargeDirectory(t *testing.T) {
	tr := filetree.New()
	for i := range 20000 {
		e := filetree.File(fmt.Appendf(nil, "%d", i%1000), 0o644)
		e.ModTime = created
		_, err := tr.Add(fmt.Sprintf("dir/%d-and a name of some length", i), e)
		require.NoError(t, err)
	}
	dir := mount(t, &erofs.FileSystem{Tree: tr})
	requireSame(t, tr, dir)
	for _, i := range []int{0, 1, 77, 12345, 19999} {
		_, err := os.Stat(filepath.Join(dir, fmt.Sprintf("dir/%d-and a name of some length", i)))
		require.NoError(t, err)
	}
	_, err := os.Stat(filepath.Join(dir, "dir/none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
