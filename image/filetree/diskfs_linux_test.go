package filetree_test

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/filetree"
)

// TestFromFSReadsDiskImages reads what mke2fs has written, by go-diskfs 1.9.4.
func TestFromFSReadsDiskImages(t *testing.T) {
	mke2fs := fixture.RequireTool(t, "mke2fs")
	dir, image := t.TempDir(), t.TempDir()+"/ext4.img"
	require.NoError(t, os.MkdirAll(dir+"/a/b", 0o755))
	require.NoError(t, os.WriteFile(dir+"/a/b/f", []byte("content"), 0o640))
	require.NoError(t, os.WriteFile(dir+"/big", []byte(strings.Repeat("drivebay", 1<<17)), 0o600))
	require.NoError(t, os.Symlink("a/b", dir+"/s"))
	require.NoError(t, os.WriteFile(dir+"/zeros", make([]byte, 1<<20), 0o600)) // mke2fs leaves them out
	out, err := exec.Command(mke2fs, "-q", "-t", "ext4", "-d", dir, image, "16M").CombinedOutput()
	require.NoError(t, err, "%s", out)
	disk, err := diskfs.Open(image)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, disk.Close()) })
	fsys, err := disk.GetFilesystem(0)
	require.NoError(t, err)
	got, err := filetree.FromFS(fsys)
	require.NoError(t, err)
	diffs, err := filetree.Diff(t.Context(), fromDir(t, dir), got, filetree.DiffOptions{
		// go-diskfs rounds times down to seconds and has no common way to tell owners.
		Aspects: filetree.DefaultAspects &^ (filetree.AspectOwner | filetree.AspectModTime),
		Skip:    func(path string) bool { return path == "lost+found" || path == "zeros" },
	})
	require.NoError(t, err)
	require.Empty(t, lines(diffs))
	_, err = read(t, lookup(t, got, "zeros"))
	require.ErrorIs(t, err, io.ErrNoProgress, "go-diskfs reads holes now: the guard can go")
}
