package erofs_test

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
	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

var created = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// geometry is a volume of size bytes, 0 for the smallest.
func geometry(size int64) volume.Geometry {
	return volume.Geometry{SectorSize: 512, Size: size, Seed: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001"), Time: created}
}

// write plans a file system and writes it to a file.
func write(t testing.TB, fs *erofs.FileSystem, size int64) string {
	t.Helper()
	p, err := fs.Plan(t.Context(), geometry(size))
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "erofs.img")
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

// requireSame has a directory that an image was made into compared with its tree.
func requireSame(t testing.TB, want *filetree.Tree, dir string, skip ...string) {
	t.Helper()
	requireSameAspects(t, want, dir, filetree.DefaultAspects, skip...)
}

func requireSameAspects(t testing.TB, want *filetree.Tree, dir string, aspects filetree.Aspect, skip ...string) {
	t.Helper()
	got, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer got.Close()
	diffs, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{
		Aspects: aspects,
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
