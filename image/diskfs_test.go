package image_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
)

// filesOf builds a disk with one partition and returns what go-diskfs reads in it.
func filesOf(t *testing.T, p image.Partition) fs.FS {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk")
	_, err := image.Build(t.Context(), name, image.Layout{Partitions: []image.Partition{p}}, image.Options{})
	require.NoError(t, err)
	d, err := image.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	files, err := d.FS(1)
	require.NoError(t, err)
	return files
}

// TestFSRefusesHoles holds what go-diskfs 1.9.4 reads wrong: of a file with a hole
// at its start, other places of the disk.
func TestFSRefusesHoles(t *testing.T) {
	tree := filetree.New()
	e := filetree.File([]byte(strings.Repeat("x", 1<<20)), 0o644)
	e.Data = []filetree.Range{{Offset: 512 << 10, Length: 512 << 10}}
	_, err := tree.Add("holes", e)
	require.NoError(t, err)
	_, err = tree.Add("whole", filetree.File([]byte("text"), 0o644))
	require.NoError(t, err)
	files := filesOf(t, image.Partition{Content: &ext4.FileSystem{Tree: tree}})
	_, err = fs.ReadFile(files, "holes")
	require.ErrorIs(t, err, image.ErrFormat)
	require.ErrorContains(t, err, "holes")
	b, err := fs.ReadFile(files, "whole")
	require.NoError(t, err)
	require.Equal(t, "text", string(b))
}

// TestFSOpensEmptyFiles holds what go-diskfs 1.9.4 cannot: an empty file on FAT.
func TestFSOpensEmptyFiles(t *testing.T) {
	tree := filetree.New()
	_, err := tree.Add("empty", filetree.Entry{Mode: 0o644})
	require.NoError(t, err)
	b, err := fs.ReadFile(filesOf(t, image.Partition{Size: mib, Content: &fat.FileSystem{Tree: tree}}), "empty")
	require.NoError(t, err)
	require.Empty(t, b)
}

// TestFSNamesWhatPanics holds a panic of go-diskfs 1.9.4: names of 248 bytes.
func TestFSNamesWhatPanics(t *testing.T) {
	tree := filetree.New()
	_, err := tree.Add(strings.Repeat("x", 250), filetree.Entry{Mode: 0o644})
	require.NoError(t, err)
	_, err = fs.ReadDir(filesOf(t, image.Partition{Content: &ext4.FileSystem{Tree: tree}}), ".")
	require.ErrorIs(t, err, image.ErrFormat)
}
