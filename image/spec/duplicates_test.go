package spec_test

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/spec"
)

// TestDuplicates has an archive with a name twice.
func TestDuplicates(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for size := range int64(2) {
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "twice", Size: size}))
		_, err := w.Write(make([]byte, size))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "files.tar"), b.Bytes(), 0o644))
	layout := func(file string) (*spec.Layout, error) {
		s, err := spec.Parse("disk.yaml", strings.NewReader("partitions: [{content: {format: ext4, files: ["+file+"]}}]"), dir)
		require.NoError(t, err)
		return s.Layout(t.Context())
	}

	_, err := layout("{from: files.tar}")
	require.ErrorIs(t, err, filetree.ErrExist)
	require.ErrorContains(t, err, "tar twice: file already exists: the archive has it at byte 0 and again at 512")

	l, err := layout("{from: files.tar, duplicates: last}")
	require.NoError(t, err)
	defer l.Close()
	n, ok := l.Trees[0].Lookup("twice")
	require.True(t, ok)
	require.Equal(t, int64(1), n.Size())
}
