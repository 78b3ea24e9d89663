package filetree_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

func treeFS() fstest.MapFS {
	return fstest.MapFS{
		".":   {Mode: fs.ModeDir | 0o700, ModTime: time.Unix(7, 8)},
		"d/f": {Data: []byte("content"), Mode: 0o640, ModTime: time.Unix(1, 2)},
		"d/s": {Data: []byte("f"), Mode: fs.ModeSymlink | 0o777},
		"e":   {Mode: fs.ModeNamedPipe | 0o600},
	}
}

func TestFromFS(t *testing.T) {
	tr, err := filetree.FromFS(treeFS())
	require.NoError(t, err)
	require.Equal(t, []string{". drwx------", "d dr-xr-xr-x", "d/f -rw-r----- 7", "d/s Lrwxrwxrwx -> f", "e prw-------"}, list(t, tr))
	n := lookup(t, tr, "d/f")
	require.Equal(t, time.Unix(1, 2).UTC(), n.ModTime())
	text, err := read(t, n)
	require.NoError(t, err)
	require.Equal(t, "content", text)
}

// TestFromFSIsFromDir compares a directory with itself seen through os.DirFS.
func TestFromFSIsFromDir(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(dir+"/a/b", 0o710))
	require.NoError(t, os.WriteFile(dir+"/a/f", []byte("content"), 0o640))
	require.NoError(t, os.Symlink("f", dir+"/a/s"))
	tr, err := filetree.FromFS(os.DirFS(dir))
	require.NoError(t, err)
	diffs, err := filetree.Diff(t.Context(), fromDir(t, dir), tr, filetree.DiffOptions{})
	require.NoError(t, err)
	require.Empty(t, lines(diffs))
}

// hostileFS is a file system of which one directory lists names that it should
// not.
type hostileFS struct {
	fstest.MapFS
	names []string
}

func (h hostileFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "d" {
		return h.MapFS.ReadDir(name)
	}
	var list []fs.DirEntry
	for _, n := range h.names {
		list = append(list, hostileEntry{n})
	}
	return list, nil
}

// Lstat knows every file, and all are directories but f.
func (h hostileFS) Lstat(name string) (fs.FileInfo, error) {
	if name == "." || name == "d" || strings.HasSuffix(name, "loop") {
		return fs.Stat(h.MapFS, "d")
	}
	return fs.Stat(h.MapFS, "d/f")
}

type hostileEntry struct{ name string }

func (e hostileEntry) Name() string               { return e.name }
func (e hostileEntry) IsDir() bool                { return false }
func (e hostileEntry) Type() fs.FileMode          { return 0 }
func (e hostileEntry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

func TestFromFSRefusesHostileNames(t *testing.T) {
	for _, tt := range []struct {
		name  string
		names []string
		want  string
	}{
		{"unsorted", []string{"z", "f", "a"}, ""},
		{"up", []string{".."}, `read d/..: bad path: it has the name ".."`},
		{"dot", []string{"."}, `read d/.: bad path: it has the name "."`},
		{"empty", []string{""}, `read d/: bad path: it has an empty name`},
		{"path", []string{"a/b"}, `read d/a/b: bad path: the name "a/b" has a slash`},
		{"absolute", []string{"/etc"}, `read d//etc: bad path: it is absolute, want a path relative to the root`},
		{"NUL", []string{"a\x00"}, "read d/a\x00: bad path: it contains a NUL"},
		{"twice", []string{"f", "a", "f"}, `read d/f: file already exists: in the directory twice`},
		{"long", []string{strings.Repeat("x", 256)}, `read d/` + strings.Repeat("x", 256) + `: bad path: the name "xxxxxxxxxxxxxxxxxxxx"... has 256 bytes, want at most 255`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := filetree.FromFS(hostileFS{fstest.MapFS{"d/f": {}}, tt.names})
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tt.want)
		})
	}
}

// endlessFS is a file system with a directory in itself.
type endlessFS struct{ fstest.MapFS }

func (e endlessFS) ReadDir(string) ([]fs.DirEntry, error) {
	return []fs.DirEntry{hostileEntry{"loop"}}, nil
}
func (e endlessFS) Lstat(string) (fs.FileInfo, error) { return fs.Stat(e.MapFS, "d") }

func TestFromFSEndsInALoop(t *testing.T) {
	_, err := filetree.FromFS(endlessFS{fstest.MapFS{"d/f": {}}})
	require.ErrorIs(t, err, filetree.ErrBadPath)
	require.ErrorContains(t, err, "over 4095 bytes long")
}

func TestFromFSReportsChangedFiles(t *testing.T) {
	fsys := treeFS()
	tr, err := filetree.FromFS(fsys)
	require.NoError(t, err)
	for _, text := range []string{"short", "longer than before"} {
		fsys["d/f"].Data = []byte(text)
		_, err = read(t, lookup(t, tr, "d/f"))
		require.ErrorIs(t, err, filetree.ErrChanged)
	}
	delete(fsys, "d/f")
	_, err = read(t, lookup(t, tr, "d/f"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}
