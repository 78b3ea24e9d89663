package filetree_test

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

// fromDir reads a directory.
func fromDir(t testing.TB, dir string) *filetree.Tree {
	t.Helper()
	tr, err := filetree.FromDir(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tr.Close()) })
	return tr
}

// lookup returns the node at a path that is in the tree.
func lookup(t testing.TB, tr *filetree.Tree, path string) filetree.Node {
	t.Helper()
	n, ok := tr.Lookup(path)
	require.True(t, ok, "%s is not in the tree", path)
	return n
}

// read returns the content of a file, with zeros for holes.
func read(t testing.TB, n filetree.Node) (string, error) {
	t.Helper()
	b := make([]byte, n.Size())
	err := n.Stream(func(r io.Reader, at filetree.Range) error {
		_, err := io.ReadFull(r, b[at.Offset:at.End()])
		return err
	})
	return string(b), err
}

// list returns a line for each file of a tree.
func list(t testing.TB, tr *filetree.Tree) []string {
	t.Helper()
	var got []string
	require.NoError(t, tr.Walk(func(n filetree.Node) error {
		line := fmt.Sprint(n.Path(), " ", n.Mode())
		if n.Mode().IsRegular() {
			line += fmt.Sprint(" ", n.Size())
		}
		if n.Links() > 1 {
			line += fmt.Sprint(" links=", n.Links())
		}
		if n.Target() != "" {
			line += " -> " + n.Target()
		}
		got = append(got, line)
		return nil
	}))
	return got
}

func TestFromDir(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o711))
	require.NoError(t, os.WriteFile(dir+"/b", []byte("hello"), 0o640))
	require.NoError(t, os.MkdirAll(dir+"/a/empty", 0o755))
	require.NoError(t, os.Symlink("../b", dir+"/a/s"))
	require.NoError(t, os.Symlink(dir, dir+"/loop"))
	require.NoError(t, os.Chmod(dir+"/b", 0o640|os.ModeSetuid|os.ModeSticky))
	when := time.Date(2106, 2, 7, 6, 28, 17, 123456789, time.UTC)
	if strconv.IntSize == 32 {
		when = time.Unix(1<<31-1, 123456789).UTC() // the last that os.Chtimes can set
	}
	require.NoError(t, os.Chtimes(dir+"/b", time.Now(), when))
	tr := fromDir(t, dir)
	require.Equal(t, []string{
		". drwx--x--x", "a drwxr-xr-x", "a/empty drwxr-xr-x", "a/s Lrwxrwxrwx -> ../b", "b utrw-r----- 5",
		"loop Lrwxrwxrwx -> " + dir,
	}, list(t, tr))
	n := lookup(t, tr, "b")
	require.Equal(t, []time.Time{when, when, when}, []time.Time{n.ModTime(), n.AccessTime(), n.ChangeTime()})
	text, err := read(t, n)
	require.NoError(t, err)
	require.Equal(t, "hello", text)
}

func TestFromDirErrors(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/file", nil, 0o600))
	_, err := filetree.FromDir(dir + "/none")
	require.ErrorIs(t, err, filetree.ErrNotExist)
	_, err = filetree.FromDir(dir + "/file")
	require.ErrorContains(t, err, dir+"/file")
}

func TestCloseIsIdempotent(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/file", []byte("x"), 0o600))
	tr := fromDir(t, dir)
	require.NoError(t, tr.Close())
	require.NoError(t, tr.Close())
	_, err := lookup(t, tr, "file").Open()
	require.ErrorContains(t, err, "file")
}

// TestFromDirOfOneWideDirectory would take hours if look-ups were linear.
func TestFromDirOfOneWideDirectory(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 20,000 files")
	}
	dir := t.TempDir()
	const files = 20_000
	for i := range files {
		require.NoError(t, os.WriteFile(fmt.Sprint(dir, "/", (i*7919)%files), nil, 0o600))
	}
	tr := fromDir(t, dir)
	require.Equal(t, files+1, tr.Len())
	last := ""
	for n := range tr.Root().Children() {
		require.Less(t, last, n.Name())
		last = n.Name()
	}
	for i := range files {
		lookup(t, tr, fmt.Sprint(i))
	}
}

func TestFromDirKeepsHostileNames(t *testing.T) {
	dir := t.TempDir()
	names := []string{"-rf *", "\n", "a\\b", "c:", strings.Repeat("x", 255), "..."}
	if os.PathSeparator != '/' {
		t.Skip("this system has no such names")
	}
	names = append(names, "\xff\xfe")
	for _, name := range names {
		require.NoError(t, os.WriteFile(dir+"/"+name, []byte(name), 0o600))
	}
	tr := fromDir(t, dir)
	for _, name := range names {
		text, err := read(t, lookup(t, tr, name))
		require.NoError(t, err)
		require.Equal(t, name, text)
	}
}
