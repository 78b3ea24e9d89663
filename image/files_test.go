package image_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
)

// TestFSOfSquashfs has all of a squashfs found through a disk.
func TestFSOfSquashfs(t *testing.T) {
	dir := diskFSSource(t)
	require.NoError(t, os.Link(filepath.Join(dir, "two"), filepath.Join(dir, "linked")))
	want, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer want.Close()
	for name, args := range map[string][]string{
		"gzip":  nil,
		"xz":    {"-comp", "xz", "-b", "65536"},
		"plain": {"-noI", "-noD", "-noF"},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "image")
			run(t, fixture.RequireTool(t, "mksquashfs"), append([]string{dir, out, "-quiet", "-no-progress"}, args...)...)
			d, err := image.Open(out)
			require.NoError(t, err)
			defer d.Close()
			require.NoError(t, d.Measure())
			require.Equal(t, int64(11), d.Partitions[0].Files)
			files, err := d.FS(0)
			require.NoError(t, err)
			got, err := filetree.FromFS(files)
			require.NoError(t, err)
			diff, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{TimeResolution: time.Second})
			require.NoError(t, err)
			require.Empty(t, diff)
		})
	}
}
