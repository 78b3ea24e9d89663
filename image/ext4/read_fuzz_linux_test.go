package ext4_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/sample"
)

// FuzzReader changes bytes of good volumes that have no checksums.
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
	imagetest.FuzzReader(f, images, 64<<20, func(r io.ReaderAt, size int64) (imagetest.Reader, error) {
		return ext4.Open(r, size)
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
