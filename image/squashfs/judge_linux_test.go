package squashfs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/squashfs"
)

// TestEverybodySeesEverything has the kernel, unsquashfs and the reader look at the
// same image, of each way to write one.
func TestEverybodySeesEverything(t *testing.T) {
	for name, variant := range variants {
		t.Run(name, func(t *testing.T) {
			fs := variant()
			fs.Tree = everything(t)
			file := write(t, fs, 0)
			t.Run("kernel", func(t *testing.T) {
				dir := mountFile(t, file)
				requireSame(t, fs.Tree, dir, "holes/huge")
				requireNumbers(t, dir)
			})
			t.Run("unsquashfs", func(t *testing.T) { requireSame(t, fs.Tree, unsquash(t, file)) })
			t.Run("reader", func(t *testing.T) {
				requireReads(t, fs.Tree, open(t, file), filetree.DiffOptions{
					Aspects: filetree.DefaultAspects,
					Skip:    func(path string) bool { return path == "holes/huge" },
				})
			})
		})
	}
}

// TestLongXattrs has attributes that the file systems which an image could be
// unpacked to do not hold.
func TestLongXattrs(t *testing.T) {
	for name, variant := range variants {
		t.Run(name, func(t *testing.T) {
			fs := variant()
			fs.Tree = filetree.New()
			addLongXattrs(t, fs.Tree)
			file := write(t, fs, 0)
			requireSame(t, fs.Tree, mountFile(t, file))
			requireReads(t, fs.Tree, open(t, file), filetree.DiffOptions{Aspects: filetree.DefaultAspects})
		})
	}
}

// requireNumbers fails the test where the kernel sees other numbers of links or
// blocks than there should be.
func requireNumbers(t *testing.T, dir string) {
	t.Helper()
	for path, links := range map[string]uint64{
		"sizes/4097": 3, "links/a/b": 3, "special/fifo": 2, "sizes/4096": 1, "modes": 8, "doubles/large0": 1,
	} {
		var st unix.Stat_t
		require.NoError(t, unix.Lstat(filepath.Join(dir, path), &st))
		require.Equal(t, links, uint64(st.Nlink), path)
	}
	var st unix.Stat_t
	require.NoError(t, unix.Lstat(filepath.Join(dir, "holes/huge"), &st))
	require.Equal(t, int64(20<<30), st.Size)
	require.Less(t, st.Blocks*512, int64(4<<20))
	f, err := os.Open(filepath.Join(dir, "holes/huge"))
	require.NoError(t, err)
	defer f.Close()
	got := make([]byte, 700000+20)
	_, err = f.ReadAt(got, 19<<30-10)
	require.NoError(t, err)
	want := make([]byte, len(got))
	for i := range 700000 {
		want[10+i] = byte((19<<30+int64(i))%251) + 1
	}
	require.Equal(t, want, got)
}

// Those who try hardest take so long that they get small files.
func TestHighestLevels(t *testing.T) {
	for compression, level := range map[squashfs.Compression]int{squashfs.Zstd: 22, squashfs.Gzip: 9, squashfs.LZ4: 9} {
		tr := many(t, "%d-%s", 300)
		_, err := tr.Add("pattern", filetree.File(sample.Pattern(20000), 0o644))
		require.NoError(t, err)
		requireSame(t, tr, unsquash(t, write(t, &squashfs.FileSystem{Tree: tr, Compression: compression, Level: level}, 0)))
	}
}

// Of xz there is little: the library takes long where there is much to be found.
func TestXZ(t *testing.T) {
	tr := filetree.New()
	for i, n := range []int{0, 1, 4096, 150000} {
		for kind, b := range map[string][]byte{"pattern": sample.Pattern(n), "noise": sample.Noise(uint64(i), n)} {
			e := filetree.File(b, 0o644)
			e.ModTime = imagetest.Created
			_, err := tr.Add(fmt.Sprintf("%s/%d", kind, n), e)
			require.NoError(t, err)
		}
	}
	for _, blockSize := range []int{4096, 128 << 10, 1 << 20} {
		file := write(t, &squashfs.FileSystem{Tree: tr, Compression: squashfs.XZ, BlockSize: blockSize}, 0)
		requireSame(t, tr, mountFile(t, file))
		requireSame(t, tr, unsquash(t, file))
		requireReads(t, tr, open(t, file), filetree.DiffOptions{})
	}
}

func TestLargeDirectory(t *testing.T) {
	tr := many(t, "dir/%d-%s", 8000)
	dir := mount(t, &squashfs.FileSystem{Tree: tr})
	requireSame(t, tr, dir)
	for _, i := range []int{0, 1, 77, 5432, 7999} {
		_, err := os.Stat(filepath.Join(dir, fmt.Sprintf("dir/%d-%s", i, longName)))
		require.NoError(t, err)
	}
	_, err := os.Stat(filepath.Join(dir, "dir/none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	requireSame(t, tr, unsquash(t, write(t, &squashfs.FileSystem{Tree: tr, Compression: squashfs.None}, 0)))
}

func TestManyDirectories(t *testing.T) {
	tr := many(t, "a%[1]d/b/c%[1]d%[2]s", 2000)
	requireSame(t, tr, mount(t, &squashfs.FileSystem{Tree: tr}))
}

// Handles of files lead through the export table.
func TestKernelOpensByHandle(t *testing.T) {
	tr := many(t, "a%[1]d/b/c%[1]d%[2]s", 2000)
	dir := mount(t, &squashfs.FileSystem{Tree: tr})
	root, err := os.Open(dir)
	require.NoError(t, err)
	defer root.Close()
	for _, i := range []int{0, 1000, 1999} {
		path := filepath.Join(dir, fmt.Sprintf("a%[1]d/b/c%[1]d%[2]s", i, longName))
		handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, path, 0)
		require.NoError(t, err)
		fd, err := unix.OpenByHandleAt(int(root.Fd()), handle, unix.O_RDONLY)
		require.NoError(t, err)
		var want, got unix.Stat_t
		require.NoError(t, unix.Stat(path, &want))
		require.NoError(t, unix.Fstat(fd, &got))
		require.NoError(t, unix.Close(fd))
		require.Equal(t, want.Ino, got.Ino)
	}
}
