package erofs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/volume"
)

// mkfs has mkfs.erofs make an image of a directory.
func mkfs(t testing.TB, dir string, args ...string) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	tool(t, "mkfs.erofs", append(append([]string{"--quiet"}, args...), image, dir)...)
	return image
}

// TestReaderReadsMkfs has the reader read what mkfs.erofs makes, of all shapes, and
// has the kernel say what there is.
func TestReaderReadsMkfs(t *testing.T) {
	dir := imagetest.SourceDir(t)
	for name, args := range map[string][]string{
		"default":              nil,
		"compact":              {"-Eforce-inode-compact", "-T1700000000", "--all-root"},
		"extended":             {"-Eforce-inode-extended"},
		"no checksum":          {"-Enosbcrc"},
		"one time":             {"-T1700000000"},
		"one owner":            {"--all-root"},
		"no attributes":        {"-x-1"},
		"few share attributes": {"-x1000"},
		"chunks of 4k":         {"--chunksize=4096"},
		"chunks of 64k":        {"--chunksize=65536"},
		"indexes of chunks":    {"--chunksize=4096", "-Eforce-chunk-indexes"},
	} {
		t.Run(name, func(t *testing.T) {
			image := mkfs(t, dir, args...)
			r := open(t, image)
			imagetest.RequireDir(t, tree(t, r), mountFile(t, image), filetree.DiffOptions{})
			if name == "default" {
				want, err := filetree.FromDir(dir)
				require.NoError(t, err)
				defer want.Close()
				imagetest.RequireFS(t, want, r, filetree.DiffOptions{})
			}
		})
	}
}

// tree returns what a reader finds, until the test ends.
func tree(t testing.TB, r *erofs.Reader) *filetree.Tree {
	t.Helper()
	tr, err := r.Tree()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tr.Close()) })
	return tr
}

// TestReaderReadsOurs has the reader find in our images what the kernel and
// fsck.erofs find there.
func TestReaderReadsOurs(t *testing.T) {
	for _, blockSize := range []int{512, 1024, 2048, 4096} {
		t.Run(fmt.Sprint(blockSize), func(t *testing.T) {
			tr := everything(t)
			addLongXattrs(t, tr)
			fs := &erofs.FileSystem{Tree: tr, BlockSize: blockSize, Label: "fifteen letters"}
			r := open(t, write(t, fs, 0))
			imagetest.RequireFS(t, tr, r, filetree.DiffOptions{Skip: imagetest.Skip("holes/huge")})
			want := plan(t, fs).Info()
			got, err := r.Info()
			require.NoError(t, err)
			want.Files = got.Files // inodes, not names
			require.Equal(t, want, got)
		})
	}
}

// Of a compressed file all is read but the content.
func TestReaderRefusesCompressed(t *testing.T) {
	dir := imagetest.SourceDir(t)
	want, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer want.Close()
	for _, args := range [][]string{{"-zlz4"}, {"-zlz4", "-C65536"}, {"-zlz4", "-Elegacy-compress"}, {"-zlz4", "-Eztailpacking"}} {
		r := open(t, mkfs(t, dir, args...))
		imagetest.RequireFS(t, want, r, filetree.DiffOptions{Aspects: filetree.DefaultAspects &^ filetree.AspectContent})
		_, err := r.ReadFile("sizes/100000")
		require.ErrorIs(t, err, volume.ErrFeature)
		require.ErrorContains(t, err, "open sizes/100000: volume has a feature that is not read: content of inode ")
		require.ErrorContains(t, err, " is compressed")
	}
}

// A file in chunks may be on another device.
func TestReaderRefusesDevices(t *testing.T) {
	blob := filepath.Join(t.TempDir(), "blob")
	require.NoError(t, os.WriteFile(blob, nil, 0o600))
	f, size := imagetest.OpenFile(t, mkfs(t, imagetest.SourceDir(t), "--chunksize=4096", "--blobdev="+blob))
	_, err := erofs.Open(f, size)
	require.ErrorIs(t, err, volume.ErrFeature)
	require.EqualError(t, err, "erofs: volume has a feature that is not read: it has contents on 1 further devices")
}
