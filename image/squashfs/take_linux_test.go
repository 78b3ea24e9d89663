package squashfs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/squashfs"
)

// onlySquashfs is the plan of an image that is nothing but a file system of a file,
// and counts in opened how often that is read. Temporary files are in dir.
func onlySquashfs(t *testing.T, dir string, opened *int, content []byte) *image.Plan {
	t.Helper()
	tr := filetree.New()
	_, err := tr.Add("file", counted(opened, content))
	require.NoError(t, err)
	fs := &squashfs.FileSystem{Tree: tr}
	t.Cleanup(func() { require.NoError(t, fs.Close()) })
	l := image.Layout{Table: image.NoTable, TempDir: dir, Partitions: []image.Partition{{Content: fs}}}
	p, err := l.Plan(t.Context())
	require.NoError(t, err)
	return p
}

// TestOutputTakesTheTemporaryFile has a plan built again and again: by copying, by
// giving the temporary file away, and by compressing anew.
func TestOutputTakesTheTemporaryFile(t *testing.T) {
	dir := imagetest.UnnamedDir(t)
	opened := 0
	p := onlySquashfs(t, dir, &opened, sample.Noise(1, 3_000_000))
	build := func(dir, name string) []byte {
		t.Helper()
		name = filepath.Join(dir, name)
		var last image.Progress
		require.NoError(t, p.Build(t.Context(), name, image.Options{Progress: func(p image.Progress) { last = p }}))
		used := p.Partitions[0].Volume.Used
		require.Equal(t, image.Progress{Region: "partition 1", Done: used, Total: used}, last)
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		return b
	}
	want := build(t.TempDir(), "in another directory")
	require.Len(t, want, int(p.Size))
	require.Equal(t, 1, opened)
	for i, name := range []string{"first", "second", "third"} {
		require.True(t, bytes.Equal(want, build(dir, name)), name)
		require.Equal(t, 1+i, opened, name)
	}
	fresh, err := os.Create(filepath.Join(dir, "fresh"))
	require.NoError(t, err)
	require.NoError(t, fresh.Close())
	other, err := os.Stat(fresh.Name())
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(dir, "first"))
	require.NoError(t, err)
	require.Equal(t, other.Mode(), info.Mode())
}

// Of those that build at the same time, at most one has the file.
func TestOutputsDoNotShareTheTemporaryFile(t *testing.T) {
	dir := t.TempDir()
	opened := 0
	p := onlySquashfs(t, dir, &opened, sample.Noise(1, 3_000_000))
	errs := make([]error, 4)
	name := func(i int) string { return filepath.Join(dir, string(rune('a'+i))) }
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = p.Build(t.Context(), name(i), image.Options{}) })
	}
	wg.Wait()
	var files []os.FileInfo
	for i, err := range errs {
		require.NoError(t, err)
		info, err := os.Stat(name(i))
		require.NoError(t, err)
		for _, f := range files {
			require.False(t, os.SameFile(f, info))
		}
		files = append(files, info)
		want, err := os.ReadFile(name(0))
		require.NoError(t, err)
		got, err := os.ReadFile(name(i))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	}
}

// What is compressed anew has to be what it was.
func TestSourceChangesBeforeItIsCompressedAnew(t *testing.T) {
	dir := imagetest.UnnamedDir(t)
	opened := 0
	content := sample.Noise(1, 300_000)
	p := onlySquashfs(t, dir, &opened, content)
	require.NoError(t, p.Build(t.Context(), filepath.Join(dir, "first"), image.Options{}))
	clear(content)
	err := p.Build(t.Context(), filepath.Join(dir, "second"), image.Options{})
	require.ErrorIs(t, err, filetree.ErrChanged)
	require.NoFileExists(t, filepath.Join(dir, "second"))
}
