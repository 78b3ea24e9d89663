package ext4_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	diskfs "github.com/diskfs/go-diskfs/filesystem/ext4"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
)

// Defects of go-diskfs 1.9.4 for which there is a reader of our own. When one of
// these tests fails, the library has been mended: see whether it is still needed.

func openDiskfs(t *testing.T, tr *filetree.Tree) *diskfs.FileSystem {
	t.Helper()
	const size = 8 << 20
	backend, err := file.OpenFromPath(write(t, &ext4.FileSystem{Tree: tr}, size), true)
	require.NoError(t, err)
	t.Cleanup(func() { _ = backend.Close() })
	files, err := diskfs.Read(backend, size, 0, 512)
	require.NoError(t, err)
	return files
}

// Of a file with a hole at its start, go-diskfs reads other places of the disk, or
// nothing without an end.
func TestDiskfsMisreadsHoles(t *testing.T) {
	tr := filetree.New()
	_, err := tr.Add("holes", sample.Sparse(1<<20, filetree.Range{Offset: 512 << 10, Length: 512 << 10}))
	require.NoError(t, err)
	f, err := openDiskfs(t, tr).Open("holes")
	require.NoError(t, err)
	got, buf := []byte{}, make([]byte, 64<<10)
	for range 100 {
		n, err := f.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			break
		}
	}
	node, _ := tr.Lookup("holes")
	c, err := node.Open()
	require.NoError(t, err)
	want, err := io.ReadAll(c)
	require.NoError(t, err)
	require.False(t, bytes.Equal(want, got))
}

// Names of 248 bytes and more are a panic: directoryEntryFromBytes adds 8 to the
// length in a byte.
func TestDiskfsPanicsAtLongNames(t *testing.T) {
	tr := filetree.New()
	_, err := tr.Add(strings.Repeat("x", 248), filetree.Entry{Mode: 0o644})
	require.NoError(t, err)
	files := openDiskfs(t, tr)
	require.Panics(t, func() { _, _ = files.ReadDir(".") })
}
