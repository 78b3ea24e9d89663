package squashfs_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/squashfs"
)

// maxAlloc is what reading a damaged image of a few KiB may allocate.
const maxAlloc = 128 << 20

// FuzzReader changes bytes of good volumes: each three of the input are a place and
// a value. Those of which nothing is compressed have more to offer than others.
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
		tool(f, "mksquashfs", append([]string{
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
			f.Add(uint8(which), []byte{0, byte(k), 0xff, byte(end >> 8), byte(end), byte(k)})
			f.Add(uint8(which), []byte{byte(end >> 8), byte(end), 0xff})
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, changes []byte) {
		b := bytes.Clone(images[int(which)%len(images)])
		for ; len(changes) >= 3; changes = changes[3:] {
			b[(int(changes[0])<<8|int(changes[1]))%len(b)] = changes[2]
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		readAll(b)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > maxAlloc {
			t.Errorf("%d bytes have been allocated for a volume of %d", n, len(b))
		}
	})
}

// readAll reads what can be read of a volume.
func readAll(b []byte) {
	r, err := squashfs.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return
	}
	_, _ = r.Info()
	if tree, err := r.Tree(); err == nil {
		_ = tree.Walk(func(n filetree.Node) error {
			if n.Mode().IsRegular() {
				if c, err := n.Open(); err == nil {
					_, _ = io.CopyN(io.Discard, c, 1<<20)
				}
			}
			return nil
		})
		_ = tree.Close()
	}
	_ = fs.WalkDir(r, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_, _ = r.ReadFile(path)
			_, _ = r.ReadLink(path)
		}
		return nil
	})
}
