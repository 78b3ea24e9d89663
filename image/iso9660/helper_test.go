package iso9660_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/iso9660"
)

var (
	created   = imagetest.Created
	geometry  = imagetest.Geometry
	writePlan = imagetest.WritePlan
	tool      = imagetest.Tool
)

// write plans a file system and writes it to a file.
func write(t testing.TB, fs *iso9660.FileSystem, size int64) string {
	t.Helper()
	return imagetest.Write(t, fs, size)
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
