package ext4_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
)

// maxAlloc is what reading a damaged image of 256 KiB may allocate.
const maxAlloc = 64 << 20

// FuzzReader changes bytes of good volumes that have no checksums: each four of the
// input are a place and a value.
func FuzzReader(f *testing.F) {
	dir := fuzzDir(f)
	var images [][]byte
	for _, args := range [][]string{
		{"-t", "ext2", "-b", "1024", "-I", "128"},
		{"-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^has_journal,^resize_inode,inline_data,ea_inode"},
		{"-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^has_journal,^resize_inode,meta_bg,^64bit"},
	} {
		b, err := os.ReadFile(made(f, dir, "256k", append(args, "-N", "32")...))
		require.NoError(f, err)
		images = append(images, b)
	}
	for which := range images {
		f.Add(uint8(which), []byte{})
		for at := range 16 { // the superblock, the group descriptor, and what follows
			f.Add(uint8(which), []byte{0, 4, byte(at * 16), 0xff, 0, 8, byte(at * 4), 7, 0, byte(40 + at), 8, 3})
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, changes []byte) {
		b := bytes.Clone(images[int(which)%len(images)])
		for ; len(changes) >= 4; changes = changes[4:] {
			b[(int(changes[0])<<16|int(changes[1])<<8|int(changes[2]))%len(b)] = changes[3]
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

// fuzzDir is a small directory of all kinds of files.
func fuzzDir(f *testing.F) string {
	fixture.RequireRoot(f)
	dir := f.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(f, os.Mkdir(at("dir"), 0o755))
	require.NoError(f, os.WriteFile(at("dir/file"), sample.Pattern(3000), 0o644))
	require.NoError(f, os.WriteFile(at("dir/inline"), sample.Pattern(100), 0o644))
	require.NoError(f, os.WriteFile(at("large"), sample.Pattern(30000), 0o644))
	require.NoError(f, os.Link(at("large"), at("dir/linked")))
	require.NoError(f, os.Symlink(strings.Repeat("t", 100), at("dir/slow")))
	require.NoError(f, os.Symlink("dir", at("fast")))
	return dir
}

// readAll reads what can be read of a volume.
func readAll(b []byte) {
	r, err := ext4.Open(bytes.NewReader(b), int64(len(b)))
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
