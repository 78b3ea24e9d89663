package image_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
)

// TestRawFileOfAFIFO wants nobody to wait for a writer that never comes, neither
// at once nor where the FIFO has taken the place of a file.
func TestRawFileOfAFIFO(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(name, 0o600))
	_, err := image.RawFile(name)
	require.EqualError(t, err, name+": is of type p---------: want a regular file or a block device")

	require.NoError(t, os.Remove(name))
	require.NoError(t, os.WriteFile(name, []byte("content"), 0o600))
	raw, err := image.RawFile(name)
	require.NoError(t, err)
	require.NoError(t, os.Remove(name))
	require.NoError(t, unix.Mkfifo(name, 0o600))
	p, err := (&image.Layout{Partitions: []image.Partition{{Content: raw}}}).Plan(t.Context())
	require.NoError(t, err)
	err = p.Build(t.Context(), filepath.Join(t.TempDir(), "disk.img"), image.Options{})
	require.ErrorIs(t, err, filetree.ErrChanged)
	require.ErrorContains(t, err, name+": changed while it was read: it ends within 7 bytes")
}
