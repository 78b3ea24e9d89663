package squashfs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/volume"
)

var created = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// geometry is a volume of size bytes, 0 for the smallest.
func geometry(size int64) volume.Geometry {
	return volume.Geometry{SectorSize: 512, Size: size, Seed: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001"), Time: created}
}

// write plans a file system and writes it to a file.
func write(t testing.TB, fs *squashfs.FileSystem, size int64) string {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, fs.Close()) })
	p, err := fs.Plan(t.Context(), geometry(size))
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "squashfs.img")
	writePlan(t, p, name)
	return name
}

func writePlan(t testing.TB, p volume.Plan, name string) {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(p.Info().Size))
	w := volume.NewWriter(f, p.Info().Size)
	defer w.Close()
	require.NoError(t, p.Write(t.Context(), w))
	require.NoError(t, w.Flush())
}

// tool runs a program and returns what it prints.
func tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(fixture.RequireTool(t, name), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v\n%s", name, args, out)
	return string(out)
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
	tool(t, "unsquashfs", "-no-progress", "-quiet", "-dest", dir, name)
	return dir
}

// requireSame has a directory that an image was made into compared with its tree.
func requireSame(t testing.TB, want *filetree.Tree, dir string, skip ...string) {
	t.Helper()
	got, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer got.Close()
	diffs, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{
		TimeResolution: time.Second,
		Skip: func(path string) bool {
			for _, s := range skip {
				if path == s {
					return true
				}
			}
			return false
		},
	})
	require.NoError(t, err)
	require.Empty(t, diffs)
}

// open opens an image.
func open(t testing.TB, name string) *squashfs.Reader {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	info, err := f.Stat()
	require.NoError(t, err)
	r, err := squashfs.Open(f, info.Size())
	require.NoError(t, err)
	return r
}

// requireReads fails the test where the reader finds another tree than there
// should be.
func requireReads(t testing.TB, want *filetree.Tree, r *squashfs.Reader, o filetree.DiffOptions) {
	t.Helper()
	got, err := filetree.FromFS(r)
	require.NoError(t, err)
	o.TimeResolution = time.Second
	diffs, err := filetree.Diff(t.Context(), want, got, o)
	require.NoError(t, err)
	require.Empty(t, diffs)
}
