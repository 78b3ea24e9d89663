package filetree_test

import (
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

func TestFromDirReadsGoroot(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/b", []byte("hello"), 0o640))
	require.NoError(t, os.Mkdir(dir+"/a", 0o755))
	require.NoError(t, os.Link(dir+"/b", dir+"/a/c"))
	require.NoError(t, os.Symlink("../b", dir+"/a/s"))
	tr, err := filetree.FromDir(dir)
	require.NoError(t, err)
	var got []string
	var walk func(n filetree.Node)
	walk = func(n filetree.Node) {
		got = append(got, fmt.Sprint(n.Path(), " ", n.Mode(), " ", n.Size(), " ", n.Links(), " ", n.Target()))
		for c := range n.Children() {
			walk(c)
		}
	}
	walk(tr.Root())
	require.Equal(t, []string{
		". drwxr-xr-x 0 1 ", "a drwxr-xr-x 0 1 ", "a/c -rw-r----- 5 2 ", "a/s Lrwxrwxrwx 0 1 ../b", "b -rw-r----- 5 2 ",
	}, got)
	n, ok := tr.Lookup("b")
	require.True(t, ok)
	require.NoError(t, n.Stream(func(r io.Reader, at filetree.Range) error {
		b, err := io.ReadAll(io.LimitReader(r, at.Length))
		require.Equal(t, "hello", string(b))
		return err
	}))
	require.NoError(t, os.Chtimes(dir+"/b", time.Time{}, time.Unix(1, 0)))
	require.ErrorIs(t, n.Stream(nil), filetree.ErrChanged)
}
