package ext4_test

import (
	"context"
	"io/fs"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	diskfs "github.com/diskfs/go-diskfs/filesystem/ext4"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
)

// linkFS is an fs.ReadLinkFS: go-diskfs does not follow links in Stat.
type linkFS struct{ *diskfs.FileSystem }

func (l linkFS) Lstat(name string) (fs.FileInfo, error) { return l.Stat(name) }

// TestDiskfsReadsBack has another implementation read what was written.
func TestDiskfsReadsBack(t *testing.T) {
	// go-diskfs 1.9.4 panics at names of 248 bytes: directoryEntryFromBytes adds
	// 8 to the length in a byte.
	tr := almostEverything(t)
	image := write(t, &ext4.FileSystem{Tree: tr}, 64<<20)
	backend, err := file.OpenFromPath(image, true)
	require.NoError(t, err)
	defer backend.Close()
	files, err := diskfs.Read(backend, 64<<20, 0, 512)
	require.NoError(t, err)
	got, err := filetree.FromFS(linkFS{files})
	require.NoError(t, err)
	diffs, err := filetree.Diff(context.Background(), tr, got, filetree.DiffOptions{
		Aspects: filetree.AspectName | filetree.AspectType | filetree.AspectMode | filetree.AspectSize | filetree.AspectContent | filetree.AspectTarget,
		// It reads other places than holes, or nothing without an end.
		Skip: func(path string) bool { return path == "lost+found" || path == "holes" },
	})
	require.NoError(t, err)
	require.Empty(t, diffs)
}
