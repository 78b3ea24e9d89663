package rofs_test

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/rofs"
	"github.com/drivebay/drivebay/image/volume"
)

func TestFS(t *testing.T) {
	m := sound()
	delete(m, 6) // a loop is an error, which fstest does not want
	m[1] = dir(child(2, "dir/"), child(3, "file"), child(5, "absolute@"), child(7, "out@"), child(4, "linked"))
	require.NoError(t, fstest.TestFS(rofs.New(m, 1<<20), "file", "linked", "dir/also linked", "dir/empty", "dir/device", "dir/up", "absolute", "out"))
}

func TestLinks(t *testing.T) {
	f := rofs.New(sound(), 1<<20)
	for _, name := range []string{"file", "dir/up", "absolute", "out"} {
		b, err := f.ReadFile(name)
		require.NoError(t, err, name)
		require.Equal(t, "content", string(b), name)
	}
	target, err := f.ReadLink("out")
	require.NoError(t, err)
	require.Equal(t, "../../../file", target)
	info, err := f.Lstat("out")
	require.NoError(t, err)
	require.Equal(t, fs.ModeSymlink|0o777, info.Mode())
	require.Equal(t, int64(len("../../../file")), info.Size())
	info, err = f.Stat("out")
	require.NoError(t, err)
	require.Equal(t, "out", info.Name())
	require.Equal(t, fs.FileMode(0o644), info.Mode())
	require.Equal(t, when, info.Sys().(*filetree.Entry).ModTime)
}

func TestErrors(t *testing.T) {
	f := rofs.New(sound(), 1<<20)
	read := func(name string) error { _, err := f.ReadFile(name); return err }
	list := func(name string) error { _, err := f.ReadDir(name); return err }
	readLink := func(name string) error { _, err := f.ReadLink(name); return err }
	for _, tc := range []struct {
		err  error
		is   error
		want string
	}{
		{read("none"), fs.ErrNotExist, "open none: file does not exist"},
		{read("file/x"), fs.ErrNotExist, `open file/x: file does not exist: "file" is not a directory`},
		{read("/file"), fs.ErrInvalid, "open /file: invalid argument"},
		{read("dir/../file"), fs.ErrInvalid, "open dir/../file: invalid argument"},
		{read("a\x00b"), fs.ErrInvalid, "open a\x00b: invalid argument"},
		{read("dir"), fs.ErrInvalid, "read dir: invalid argument: it is a directory"},
		{read("loop"), nil, "open loop: more than 40 symbolic links"},
		{list("file"), fs.ErrInvalid, "readdir file: invalid argument: not a directory"},
		{readLink("file"), fs.ErrInvalid, "readlink file: invalid argument: not a symbolic link"},
	} {
		require.EqualError(t, tc.err, tc.want)
		var path *fs.PathError
		require.ErrorAs(t, tc.err, &path)
		if tc.is != nil {
			require.ErrorIs(t, tc.err, tc.is)
		}
	}
}

// A file may be larger than its volume, and is not read whole then.
func TestReadFileOfHoles(t *testing.T) {
	m := sound()
	huge := file("")
	huge.Size = 1 << 60
	huge.Entry.Open = func() (filetree.Content, error) {
		return rofs.NewContent(&rofs.RunReader{Size: huge.Size}, huge.Size), nil
	}
	m[3] = huge
	f := rofs.New(m, 1<<20)
	_, err := f.ReadFile("file")
	require.EqualError(t, err, "read file: file of 1152921504606846976 bytes is larger than its volume of 1048576: read it in parts")
	o, err := f.Open("file")
	require.NoError(t, err)
	b := make([]byte, 3)
	_, err = o.(io.ReaderAt).ReadAt(b, huge.Size-3)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 3), b)
}

func TestTree(t *testing.T) {
	tr, err := rofs.New(sound(), 1<<20).Tree()
	require.NoError(t, err)
	defer tr.Close()
	var names []string
	require.NoError(t, tr.Walk(func(n filetree.Node) error { names = append(names, n.Path()); return nil }))
	require.ElementsMatch(t, strings.Fields(". dir file absolute loop out linked dir/also_linked dir/up dir/empty dir/device"),
		strings.Fields(strings.ReplaceAll(strings.Join(names, "\n"), "also linked", "also_linked")))
	n, ok := tr.Lookup("dir/also linked")
	require.True(t, ok)
	require.Equal(t, 2, n.Links())
}

// Volumes come from anywhere. Both views of them have to say what is wrong.
func TestDamage(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(m memory)
		path   string // by which the names find it, "" where the tree alone does
		want   string
	}{
		"directory in itself": {
			func(m memory) { m[9] = dir(child(2, "again/")) }, "dir/empty/again",
			`volume is damaged: directory "again" is in another place, too, where it is "dir"`,
		},
		"directory in two places": {
			func(m memory) { m[2] = dir(child(9, "a/"), child(9, "b/")) }, "dir/b",
			`volume is damaged: directory "b" is in another place, too, where it is "a"`,
		},
		"root in a directory": {
			func(m memory) { m[9] = dir(child(1, "root/")) }, "dir/empty/root",
			`volume is damaged: "root" in a directory is the root directory`,
		},
		"slash": {
			func(m memory) { m[9] = dir(child(3, "a/b")) }, "dir/empty/a",
			`volume is damaged: directory has the name "a/b": want one without a slash and NUL`,
		},
		"NUL": {
			func(m memory) { m[9] = dir(child(3, "a\x00b")) }, "dir/empty/a",
			`volume is damaged: directory has the name "a\x00b": want one without a slash and NUL`,
		},
		"a name twice": {
			func(m memory) { m[9] = dir(child(3, "a"), child(4, "a")) }, "dir/empty/a",
			`volume is damaged: directory has the name "a" twice`,
		},
		"another type": {
			func(m memory) { m[9] = dir(child(3, "a@")) }, "dir/empty/a",
			`volume is damaged: its type is "----------", and "L---------" in its directory`,
		},
		"more names than links": {
			func(m memory) { m[9] = dir(child(3, "a")) }, "",
			"volume is damaged: it has 1 link, and another name before this",
		},
		"too many ranges": {
			func(m memory) {
				n := file("content")
				n.Size = 1 << 20
				for i := range int64(1<<10 + 1) {
					n.Data = append(n.Data, filetree.Range{Offset: i * 512, Length: 256})
				}
				m[3] = n
			}, "",
			"volume is damaged: files have data in 1025 ranges up to this one: want at most 1024 in a volume of 1048576 bytes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := sound()
			tc.change(m)
			f := rofs.New(m, 1<<20)
			_, err := f.Tree()
			require.ErrorIs(t, err, volume.ErrDamaged)
			require.ErrorContains(t, err, tc.want)
			var path *filetree.PathError
			require.True(t, errors.As(err, &path))
			if tc.path != "" {
				_, err := f.Lstat(tc.path)
				require.ErrorIs(t, err, volume.ErrDamaged)
				require.EqualError(t, err, "lstat "+tc.path+": "+tc.want)
			}
		})
	}
}

// Several goroutines walk more directories than are remembered.
func TestManyGoroutines(t *testing.T) {
	m := memory{1: dir()}
	root := m[1]
	for i := range rofs.ID(100) {
		id := 2 + 2*i
		root.children = append(root.children, child(id, string(rune('A'+i))+"/"))
		m[id], m[id+1] = dir(child(id+1, "file")), file("content")
	}
	m[1] = root
	f := rofs.New(m, 1<<20)
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			count := 0
			err := fs.WalkDir(f, ".", func(_ string, _ fs.DirEntry, err error) error { count++; return err })
			if err == nil && count != 201 {
				err = errors.New("names are missing")
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
}
