package image_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
)

// TestVerifyIsCheap verifies a disk of which nearly all is a hole.
func TestVerifyIsCheap(t *testing.T) {
	l := image.Layout{Seed: seed, Size: 4 * image.TiB, Partitions: []image.Partition{{Weight: 1, Content: image.RawBytes([]byte("x"))}}}
	name := filepath.Join(t.TempDir(), "disk")
	_, err := image.Build(t.Context(), name, l, image.Options{})
	require.NoError(t, err)
	require.NoError(t, image.Verify(t.Context(), name, l, image.Options{}))
}
