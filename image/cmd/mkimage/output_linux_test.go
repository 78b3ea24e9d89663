package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
)

// TestBmapOverUsedDisk has bmaptool copy an image to a disk that has been in use:
// it is another disk then, but whatever matters is on it.
func TestBmapOverUsedDisk(t *testing.T) {
	name := buildExample(t, "disk.img", "--bmap")
	raw := readAll(t, name)
	d := device(t, int64(len(raw)), 512)
	require.NoError(t, os.WriteFile(d.Path(), bytes.Repeat([]byte{0xff}, len(raw)), 0))
	runTool(t, fixture.RequireTool(t, "bmaptool"), "copy", name, d.Path())

	used := readAll(t, d.Path())
	require.False(t, bytes.Equal(raw, used))
	out, _, err := mkimage(t, "verify", "--files", d.Path(), example, "--size", "83MiB")
	require.NoError(t, err, out)
	require.Contains(t, runTool(t, fixture.RequireTool(t, "sgdisk"), "-v", d.Path()), "No problems found")
	esp, root := filepath.Join(t.TempDir(), "esp"), filepath.Join(t.TempDir(), "root")
	require.NoError(t, os.WriteFile(esp, used[image.MiB:][:64*image.MiB], 0o644))
	require.NoError(t, os.WriteFile(root, used[65*image.MiB:][:image.MiB], 0o644))
	runTool(t, fixture.RequireTool(t, "fsck.vfat"), "-n", esp)
	runTool(t, fixture.RequireTool(t, "e2fsck"), "-fn", root)
}
