package erofs_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/sample"
)

// FuzzReader changes bytes of small volumes by mkfs.erofs and of ours, whose
// superblocks have no checksums.
func FuzzReader(f *testing.F) {
	dir := fuzzDir(f)
	var images [][]byte
	for _, args := range [][]string{{"-Enosbcrc"}, {"-Enosbcrc", "--chunksize=4096"}, {"-Enosbcrc", "-zlz4"}} {
		b, err := os.ReadFile(mkfs(f, dir, args...))
		require.NoError(f, err)
		images = append(images, b)
	}
	tr, err := filetree.FromDir(dir)
	require.NoError(f, err)
	defer tr.Close()
	for _, blockSize := range []int{512, 4096} {
		images = append(images, withoutChecksum(bytesOf(f, plan(f, &erofs.FileSystem{Tree: tr, BlockSize: blockSize}))))
	}
	for which := range images {
		f.Add(uint8(which), []byte{})
		for k := range byte(64) { // the superblock, and the inodes behind it
			f.Add(uint8(which), []byte{0, 4, k * 2, 0xff})
			f.Add(uint8(which), []byte{0, 4, 128 + k*2, 0xff, 0, 5, k * 4, k})
		}
	}
	imagetest.FuzzReader(f, images, 64<<20, func(r io.ReaderAt, size int64) (imagetest.Reader, error) {
		return erofs.Open(r, size)
	})
}

// fuzzDir is a small directory of all kinds of files.
func fuzzDir(f *testing.F) string {
	fixture.RequireRoot(f) // for attributes
	dir := f.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(f, os.MkdirAll(at("dir/empty"), 0o755))
	require.NoError(f, os.WriteFile(at("dir/file"), sample.Pattern(3000), 0o644))
	require.NoError(f, os.WriteFile(at("large"), append(sample.Pattern(9000), make([]byte, 9000)...), 0o644))
	require.NoError(f, os.Link(at("large"), at("dir/linked")))
	require.NoError(f, os.Symlink("dir", at("link")))
	require.NoError(f, os.Symlink(strings.Repeat("t", 3000), at("long")))
	require.NoError(f, unix.Mknod(at("char"), unix.S_IFCHR|0o600, int(unix.Mkdev(4, 64))))
	for i := range 3 {
		name := at("shared" + strings.Repeat("x", i))
		require.NoError(f, os.WriteFile(name, nil, 0o600))
		require.NoError(f, unix.Setxattr(name, "trusted.same", []byte("value"), 0))
		require.NoError(f, unix.Setxattr(name, "user.own", sample.Pattern(i*30+1), 0))
	}
	holes, err := os.Create(at("holes"))
	require.NoError(f, err)
	defer holes.Close()
	_, err = holes.WriteAt([]byte("data"), 200000)
	require.NoError(f, err)
	require.NoError(f, holes.Truncate(300000))
	return dir
}
