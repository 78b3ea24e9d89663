package image_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
)

// diskFSSource is a directory for tools to pack.
func diskFSSource(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, size := range map[string]int{
		"empty": 0, "one": 1, "dir/a long name that is none of 8.3.text": 5000, "dir/sub/large": 3 << 20, "dir/block": 128 << 10, "two": 2048,
	} {
		at := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		require.NoError(t, os.WriteFile(at, []byte(strings.Repeat("0123456", size/7+1))[:size], 0o640))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "nothing"), 0o700))
	require.NoError(t, os.Symlink("dir/sub", filepath.Join(dir, "link")))
	return dir
}

// TestFSByDiskFS has what go-diskfs reads compared with what the tools packed.
func TestFSByDiskFS(t *testing.T) {
	dir := diskFSSource(t)
	want, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer want.Close()
	for name, args := range map[string][]string{
		"genisoimage": {"genisoimage", "-quiet", "-R", "-o", "OUT", dir},
		"xorriso":     {"xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", "OUT", dir},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "image")
			for i := range args {
				if args[i] == "OUT" {
					args[i] = out
				}
			}
			run(t, fixture.RequireTool(t, args[0]), args[1:]...)
			d, err := image.Open(out)
			require.NoError(t, err)
			defer d.Close()
			files, err := d.FS(0)
			require.NoError(t, err)
			got, err := filetree.FromFS(files)
			require.NoError(t, err)
			diff, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{
				Aspects: filetree.AspectName | filetree.AspectType | filetree.AspectMode | filetree.AspectSize | filetree.AspectContent | filetree.AspectTarget | filetree.AspectOwner,
			})
			require.NoError(t, err)
			require.Empty(t, diff)
		})
	}
}
