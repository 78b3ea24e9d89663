package iso9660_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/iso9660"
	"github.com/drivebay/drivebay/image/volume"
)

var created = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// geometry is a volume of size bytes, 0 for the smallest.
func geometry(size int64) volume.Geometry {
	return volume.Geometry{SectorSize: 512, Size: size, Seed: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001"), Time: created}
}

// write plans a file system and writes it to a file.
func write(t testing.TB, fs *iso9660.FileSystem, size int64) string {
	t.Helper()
	p, err := fs.Plan(t.Context(), geometry(size))
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "volume.iso")
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
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v\n%s", name, args, out)
	return string(out)
}

// extract has xorriso unpack an image, with owners and devices, and returns where.
func extract(t testing.TB, name string) string {
	t.Helper()
	fixture.RequireRoot(t)
	dir := filepath.Join(t.TempDir(), "root")
	tool(t, "xorriso", "-abort_on", "WARNING", "-osirrox", "on:o_excl_off:strict_acl_off:device_files", "-hardlinks", "on", "-indev", name, "-extract", "/", dir)
	return dir
}

// requireSame has a directory that an image was made into compared with its tree,
// but for the differences that ignore, which may be nil, says not to mind.
func requireSame(t testing.TB, want *filetree.Tree, dir string, ignore func(filetree.Difference) bool) {
	t.Helper()
	got, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer got.Close()
	diffs, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{TimeResolution: time.Second})
	require.NoError(t, err)
	for _, d := range diffs {
		if ignore == nil || !ignore(d) {
			t.Error(d)
		}
	}
}

// notPlain reports a difference in what ISO 9660 has without Rock Ridge.
func notPlain(d filetree.Difference) bool {
	return d.Aspect&(filetree.AspectMode|filetree.AspectOwner|filetree.AspectLinks) != 0
}

// sparse returns a file with data in the ranges.
func sparse(size int64, data ...filetree.Range) filetree.Entry {
	e := filetree.Entry{Mode: 0o644, Size: size, Data: append([]filetree.Range{}, data...), ModTime: created}
	e.Open = func() (filetree.Content, error) { return &sparseContent{size: size}, nil }
	return e
}

// sparseContent has a byte that depends on its offset everywhere, though only some
// of it is in ranges.
type sparseContent struct{ pos, size int64 }

func sparseByte(off int64) byte { return byte(off%251) + 1 }

func (c *sparseContent) Read(p []byte) (int, error) {
	p = p[:min(int64(len(p)), c.size-c.pos)]
	if len(p) == 0 {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = sparseByte(c.pos + int64(i))
	}
	c.pos += int64(len(p))
	return len(p), nil
}

func (c *sparseContent) Seek(off int64, whence int) (int64, error) {
	c.pos = off + [...]int64{0, c.pos, c.size}[whence]
	return c.pos, nil
}

func (c *sparseContent) Close() error { return nil }
