package erofs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
)

var (
	created  = imagetest.Created
	geometry = imagetest.Geometry
	bytesOf  = imagetest.Bytes
	tool     = imagetest.Tool
)

// write plans a file system and writes it to a file.
func write(t testing.TB, fs *erofs.FileSystem, size int64) string {
	t.Helper()
	return imagetest.Write(t, fs, size)
}

// mount has the kernel mount a file system in a partition, and returns where.
func mount(t testing.TB, fs *erofs.FileSystem) string {
	t.Helper()
	fixture.RequireFS(t, "erofs")
	if size := fs.BlockSize; size != 0 && size < os.Getpagesize() {
		fixture.RequireKernel(t, 6, 4)
	}
	d := fixture.Disk(t, image.Layout{Partitions: []image.Partition{{Name: "root", Content: fs}}})
	return d.Mount(1, fixture.ReadOnly()).Path()
}

// extract has fsck.erofs check an image and unpack it, and returns where.
func extract(t testing.TB, name string) string {
	t.Helper()
	fixture.RequireRoot(t) // for owners and devices
	dir := filepath.Join(t.TempDir(), "root")
	tool(t, "fsck.erofs", "--extract="+dir, name)
	return dir
}

// open opens an image.
func open(t testing.TB, name string) *erofs.Reader {
	t.Helper()
	f, size := imagetest.OpenFile(t, name)
	r, err := erofs.Open(f, size)
	require.NoError(t, err)
	return r
}

// requireSame has a directory that an image was made into compared with its tree.
func requireSame(t testing.TB, want *filetree.Tree, dir string, skip ...string) {
	t.Helper()
	imagetest.RequireDir(t, want, dir, filetree.DiffOptions{Skip: imagetest.Skip(skip...)})
}
