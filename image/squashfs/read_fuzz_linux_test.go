package squashfs_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/squashfs"
)

// maxAlloc is what reading a damaged image of a few KiB may allocate.
const maxAlloc = 128 << 20

// FuzzReader changes bytes of good volumes. Those of which nothing is compressed have
// more to offer than others.
func FuzzReader(f *testing.F) {
	fixture.RequireRoot(f) // for attributes
	dir := f.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(f, os.MkdirAll(at("dir/empty"), 0o755))
	require.NoError(f, os.WriteFile(at("dir/file"), sample.Pattern(3000), 0o644))
	require.NoError(f, os.WriteFile(at("large"), append(sample.Pattern(9000), make([]byte, 9000)...), 0o644))
	require.NoError(f, os.Link(at("large"), at("dir/linked")))
	require.NoError(f, os.Symlink("dir", at("link")))
	require.NoError(f, unix.Setxattr(at("dir/file"), "trusted.short", []byte("value"), 0))
	require.NoError(f, unix.Setxattr(at("large"), "trusted.long", sample.Pattern(300), 0))
	var images [][]byte
	for _, args := range [][]string{
		{"-noI", "-noD", "-noF", "-noX"}, {"-comp", "gzip"}, {"-comp", "zstd"}, {"-comp", "lz4"}, {"-comp", "xz"},
	} {
		image := filepath.Join(f.TempDir(), "image")
		imagetest.Tool(f, "mksquashfs", append([]string{
			dir, image, "-quiet", "-no-progress", "-nopad", "-b", "4096", "-p", "char c 600 0 0 4 64",
		}, args...)...)
		b, err := os.ReadFile(image)
		require.NoError(f, err)
		require.Less(f, len(b), 1<<16)
		images = append(images, b)
	}
	for which, b := range images {
		f.Add(uint8(which), []byte{})
		for k := range 96 { // the superblock, and the tables at the end
			end := len(b) - 1 - k*3
			f.Add(uint8(which), []byte{0, 0, byte(k), 0xff, 0, byte(end >> 8), byte(end), byte(k)})
			f.Add(uint8(which), []byte{0, byte(end >> 8), byte(end), 0xff})
		}
	}
	imagetest.FuzzReader(f, images, maxAlloc, func(r io.ReaderAt, size int64) (imagetest.Reader, error) { return squashfs.Open(r, size) })
}
