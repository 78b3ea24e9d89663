package filetree

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestFromDirOnAnOldKernel does without openat2 and listxattrat.
func TestFromDirOnAnOldKernel(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(dir+"/a/b", 0o755))
	require.NoError(t, os.WriteFile(dir+"/a/b/f", []byte("content"), 0o600))
	if err := unix.Setxattr(dir+"/a/b/f", "user.x", []byte("y"), 0); err != nil {
		t.Skip("the file system has no extended attributes: ", err)
	}
	tr := New()
	r, err := newDirReader(tr, dir)
	require.NoError(t, err)
	defer tr.Close()
	r.noListxattrat = true
	r.src.noOpenat2.Store(true)
	require.NoError(t, r.read())
	want, err := FromDir(dir)
	require.NoError(t, err)
	defer want.Close()
	diffs, err := Diff(t.Context(), want, tr, DiffOptions{Aspects: ^Aspect(0)})
	require.NoError(t, err)
	require.Empty(t, diffs)

	n, ok := tr.Lookup("a/b/f")
	require.True(t, ok)
	require.Equal(t, []Xattr{{Name: "user.x", Value: []byte("y")}}, n.Xattrs())
	require.NoError(t, os.Rename(dir+"/a/b", dir+"/c"))
	require.NoError(t, os.Symlink("../c", dir+"/a/b"))
	err = n.Stream(func(io.Reader, Range) error { return nil })
	require.ErrorIs(t, err, ErrChanged)
}

func TestCutPath(t *testing.T) {
	long := strings.Repeat("x", 255)
	for _, tt := range []struct {
		path        string
		max         int
		first, rest string
	}{
		{"a/b", 3, "a/b", ""},
		{"a/b", 2, "a", "b"},
		{"aa/b/c", 4, "aa/b", "c"},
		{"aa/b/c", 3, "aa", "b/c"},
		{long + "/" + long, 256, long, long},
	} {
		first, rest := cutPath(tt.path, tt.max)
		require.Equal(t, []string{tt.first, tt.rest}, []string{first, rest})
	}
}
