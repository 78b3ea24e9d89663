// Package imagetest is what the tests of the file systems have in common: volumes in
// files, programs that judge them, and comparisons with the tree that they were made
// of. Beside package fixture, it is the only one that tests alone import.
package imagetest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Created is the time of creation of the volumes, and Seed what their IDs derive
// from.
var (
	Created = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	Seed    = uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001")
)

// Geometry is a volume of size bytes, 0 for the smallest.
func Geometry(size int64) volume.Geometry {
	return volume.Geometry{SectorSize: 512, Size: size, Seed: Seed, Time: Created}
}

// Write plans a content for a volume of size bytes, 0 for the smallest, writes it to
// a file and returns the file's name.
func Write(t testing.TB, c volume.Content, size int64) string {
	t.Helper()
	p, err := c.Plan(t.Context(), Geometry(size))
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "image")
	WritePlan(t, p, name)
	return name
}

// WritePlan writes a volume to a new file.
func WritePlan(t testing.TB, p volume.Plan, name string) {
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

// Bytes returns what a plan writes.
func Bytes(t testing.TB, p volume.Plan) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "image")
	WritePlan(t, p, name)
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return b
}

// OpenFile opens an image until the test ends, and returns its size in bytes.
func OpenFile(t testing.TB, name string) (f *os.File, size int64) {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	info, err := f.Stat()
	require.NoError(t, err)
	return f, info.Size()
}

// ReadEntry returns the bytes of a file, of which there are as many as its entry says.
func ReadEntry(t testing.TB, e filetree.Entry) []byte {
	t.Helper()
	r, err := e.Open()
	require.NoError(t, err)
	// In small pieces, of which every way through the reader makes use.
	b, err := io.ReadAll(iotest.HalfReader(r))
	require.NoError(t, errors.Join(err, r.Close()))
	require.EqualValues(t, e.Size, len(b))
	return b
}

// Tool runs a program, which has to succeed, and returns what it prints.
func Tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(fixture.RequireTool(t, name), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC", "DEBUGFS_PAGER=__none__")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v\n%s", name, args, out)
	return string(out)
}

// RequireDir fails the test where a directory differs from a tree.
func RequireDir(t testing.TB, want *filetree.Tree, dir string, o filetree.DiffOptions) {
	t.Helper()
	got, err := filetree.FromDir(dir)
	require.NoError(t, err)
	requireSame(t, want, got, o)
}

// RequireFS fails the test where what a reader finds differs from a tree.
func RequireFS(t testing.TB, want *filetree.Tree, files fs.FS, o filetree.DiffOptions) {
	t.Helper()
	got, err := filetree.FromFS(files)
	require.NoError(t, err)
	requireSame(t, want, got, o)
}

func requireSame(t testing.TB, want, got *filetree.Tree, o filetree.DiffOptions) {
	t.Helper()
	defer got.Close()
	diffs, err := filetree.Diff(t.Context(), want, got, o)
	require.NoError(t, err)
	require.Empty(t, diffs)
}

// Skip leaves paths out of a comparison: it is for [filetree.DiffOptions].
func Skip(paths ...string) func(path string) bool {
	return func(path string) bool { return slices.Contains(paths, path) }
}
