package image_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
)

// TestExtend wants the disk that sgdisk makes when it moves the backup table of a
// smaller one to the end (option -e).
func TestExtend(t *testing.T) {
	l := image.Layout{Size: 8 * image.MiB, Partitions: []image.Partition{
		{Name: "a", Size: image.MiB, Content: image.RawBytes([]byte("content"))}, {Name: "b", Weight: 1},
	}}
	p, err := l.Plan(t.Context())
	require.NoError(t, err)
	q, err := p.Extend(20 * image.MiB)
	require.NoError(t, err)
	require.Equal(t, 8*image.MiB, p.Size)
	require.Equal(t, p.Partitions, q.Partitions)

	dir := t.TempDir()
	want, got := filepath.Join(dir, "want"), filepath.Join(dir, "got")
	require.NoError(t, p.Build(t.Context(), want, image.Options{}))
	require.NoError(t, os.Truncate(want, 20*image.MiB))
	sgdisk := func(option, name string) string {
		out, err := exec.Command(fixture.RequireTool(t, "sgdisk"), option, name).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	sgdisk("-e", want)
	require.NoError(t, q.Build(t.Context(), got, image.Options{}))
	require.Contains(t, sgdisk("-v", got), "No problems found")
	require.NoError(t, q.Verify(t.Context(), got, image.Options{}))
	a, err := os.ReadFile(want)
	require.NoError(t, err)
	b, err := os.ReadFile(got)
	require.NoError(t, err)
	// sgdisk leaves the first backup table where it was, and the protective MBR,
	// in sector 0, as it was.
	clear(a[8*image.MiB-33*512 : 8*image.MiB])
	require.Equal(t, []int{0}, differing(a, b))

	for _, size := range []int64{0, 8*image.MiB - 512, 20*image.MiB + 1} {
		_, err := p.Extend(size)
		var e *image.LayoutError
		require.ErrorAs(t, err, &e, size)
	}
}

// differing returns the sectors in which two disks of one size differ.
func differing(a, b []byte) (sectors []int) {
	for i := 0; i < len(a); i += 512 {
		if !bytes.Equal(a[i:i+512], b[i:i+512]) {
			sectors = append(sectors, i/512)
		}
	}
	return sectors
}
