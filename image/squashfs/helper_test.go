package squashfs_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/squashfs"
)

// write plans a file system for a volume of size bytes, 0 for the smallest, and
// writes it to a file.
func write(t testing.TB, fs *squashfs.FileSystem, size int64) string {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, fs.Close()) })
	return imagetest.Write(t, fs, size)
}

// mount has the kernel mount a file system in a partition, and returns where.
func mount(t testing.TB, fs *squashfs.FileSystem) string {
	t.Helper()
	fixture.RequireFS(t, "squashfs")
	t.Cleanup(func() { require.NoError(t, fs.Close()) })
	d := fixture.Disk(t, image.Layout{Partitions: []image.Partition{{Name: "root", Content: fs}}})
	return d.Mount(1, fixture.ReadOnly()).Path() + "/"
}

// mountFile has the kernel mount an image, and returns where.
func mountFile(t testing.TB, name string) string {
	t.Helper()
	raw, err := image.RawFile(name)
	require.NoError(t, err)
	d := fixture.Disk(t, image.Layout{Table: image.NoTable, Partitions: []image.Partition{{Content: raw}}})
	return d.MountAs(d.Path(), "squashfs", fixture.ReadOnly()).Path() + "/"
}

// unsquash unpacks an image and returns where.
func unsquash(t testing.TB, name string) string {
	t.Helper()
	fixture.RequireRoot(t) // for owners and devices
	dir := filepath.Join(t.TempDir(), "root")
	imagetest.Tool(t, "unsquashfs", "-no-progress", "-quiet", "-dest", dir, name)
	return dir
}

// requireSame has a directory that an image was made into compared with its tree.
func requireSame(t testing.TB, want *filetree.Tree, dir string, skip ...string) {
	t.Helper()
	imagetest.RequireDir(t, want, dir, filetree.DiffOptions{TimeResolution: time.Second, Skip: imagetest.Skip(skip...)})
}

// open opens an image.
func open(t testing.TB, name string) *squashfs.Reader {
	t.Helper()
	r, err := squashfs.Open(imagetest.OpenFile(t, name))
	require.NoError(t, err)
	return r
}

// requireReads fails the test where the reader finds another tree than there
// should be.
func requireReads(t testing.TB, want *filetree.Tree, r *squashfs.Reader, o filetree.DiffOptions) {
	t.Helper()
	o.TimeResolution = time.Second
	imagetest.RequireFS(t, want, r, o)
}
