package ext4_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/volume"
)

// TestReplan moves a plan from the smallest size to others, up and down again.
func TestReplan(t *testing.T) {
	fs := &ext4.FileSystem{Tree: everything(t), JournalSize: ext4.None}
	p, err := fs.Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	smallest := p.Info().Size
	for _, size := range []int64{smallest, 64 << 20, 140 << 20, smallest} {
		p, err = p.(volume.Replanner).Replan(t.Context(), geometry(size))
		require.NoError(t, err)
		name := filepath.Join(t.TempDir(), "replanned.img")
		writePlan(t, p, name)
		fsck(t, name)
		want, err := os.ReadFile(write(t, fs, size))
		require.NoError(t, err)
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "size %d", size)
	}
	_, err = p.(volume.Replanner).Replan(t.Context(), geometry(smallest/2))
	var tooSmall *volume.SizeError
	require.ErrorAs(t, err, &tooSmall)
	require.Equal(t, smallest, tooSmall.Need)
}
