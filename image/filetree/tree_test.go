package filetree_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

func TestNewIsAnEmptyDirectory(t *testing.T) {
	tr := filetree.New()
	root := tr.Root()
	require.Equal(t, 1, tr.Len())
	require.Equal(t, []any{0, "", ".", root, root, 1, true, fs.ModeDir | 0o755, uint32(0), uint32(0), int64(0), ""},
		[]any{root.ID(), root.Name(), root.Path(), root.Parent(), root.Inode(), root.Links(), root.IsDir(), root.Mode(), root.UID(), root.GID(), root.Size(), root.Target()})
	require.Equal(t, time.Unix(0, 0).UTC(), root.ModTime())
	for range root.Children() {
		t.Error("an empty directory has children")
	}
	require.NoError(t, tr.Close())
}

func TestAdd(t *testing.T) {
	tr := filetree.New()
	when := time.Date(1901, 12, 13, 20, 45, 52, 999999999, time.FixedZone("", 3600))
	set(t, tr, ".", filetree.Entry{Mode: fs.ModeDir | fs.ModeSticky | 0o711, UID: 1, GID: 2})
	set(t, tr, "a/b/c", filetree.Entry{Mode: 0o4755 &^ 0o4000, UID: 3, GID: 4, ModTime: when})
	set(t, tr, "dev", filetree.Entry{Mode: fs.ModeDevice, Device: filetree.Device{Major: 4095, Minor: 1<<20 - 1}})
	set(t, tr, "null", filetree.Entry{Mode: fs.ModeCharDevice, Device: filetree.Device{Major: 1, Minor: 3}})
	set(t, tr, "sock", filetree.Entry{Mode: fs.ModeSocket})
	require.Equal(t, []string{
		". dtrwx--x--x 1:2 0 0",
		"a drwxr-xr-x 1:2 -2147487248 -2147487248",
		"a/b drwxr-xr-x 1:2 -2147487248 -2147487248",
		"a/b/c -rwxr-xr-x 3:4 -2147487248 -2147487248",
		"dev D--------- 0:0 0 0",
		"null Dc--------- 0:0 0 0",
		"sock S--------- 0:0 0 0",
	}, meta(t, tr))
	n := lookup(t, tr, "a/b/c")
	require.True(t, n.ModTime().Equal(when))
	require.Equal(t, "a/b", n.Parent().Path())
	require.Equal(t, "c", string(n.AppendName(nil)))
	require.Equal(t, filetree.Device{Major: 4095, Minor: 1<<20 - 1}, lookup(t, tr, "dev").Device())
	require.Equal(t, filetree.Device{}, n.Device())
}

// TestAddReplacesADirectorysMetadata sets a directory twice: nothing of the first
// may be left.
func TestAddReplacesADirectorysMetadata(t *testing.T) {
	tr := filetree.New()
	first := filetree.Entry{
		Mode: fs.ModeDir | 0o700, UID: 5, ModTime: time.Unix(5, 5), AccessTime: time.Unix(6, 6),
		Xattrs: []filetree.Xattr{{Name: "user.b", Value: []byte("2")}, {Name: "user.a", Value: []byte("1")}},
	}
	set(t, tr, "d", first)
	require.Equal(t, []filetree.Xattr{first.Xattrs[1], first.Xattrs[0]}, lookup(t, tr, "d").Xattrs())
	require.Equal(t, "user.b", first.Xattrs[0].Name, "the caller's slice is sorted")
	set(t, tr, "d/f", filetree.Entry{})
	set(t, tr, "d", filetree.Dir(0o755))
	n := lookup(t, tr, "d")
	require.Equal(t, []string{". drwxr-xr-x 0:0 0 0", "d drwxr-xr-x 0:0 0 0", "d/f ---------- 0:0 0 0"}, meta(t, tr))
	require.Nil(t, n.Xattrs())
}

func TestAddRefuses(t *testing.T) {
	long := strings.Repeat("x", 256)
	xattr := func(name string, size int) filetree.Entry {
		return filetree.Entry{Xattrs: []filetree.Xattr{{Name: name, Value: make([]byte, size)}}}
	}
	for _, tt := range []struct {
		name string
		path string
		e    filetree.Entry
		is   error
		want string
	}{
		{"empty", "", filetree.Entry{}, filetree.ErrBadPath, "add : bad path: it has an empty name"},
		{"absolute", "/a", filetree.Entry{}, filetree.ErrBadPath, "add /a: bad path: it is absolute, want a path relative to the root"},
		{"up", "a/../b", filetree.Entry{}, filetree.ErrBadPath, `add a/../b: bad path: it has the name ".."`},
		{"dot", "a/.", filetree.Entry{}, filetree.ErrBadPath, `add a/.: bad path: it has the name "."`},
		{"empty name", "a//b", filetree.Entry{}, filetree.ErrBadPath, "add a//b: bad path: it has an empty name"},
		{"slash at the end", "a/", filetree.Entry{}, filetree.ErrBadPath, "add a/: bad path: it has an empty name"},
		{"NUL", "a\x00b", filetree.Entry{}, filetree.ErrBadPath, "add a\x00b: bad path: it contains a NUL"},
		{"long name", "d/" + long, filetree.Entry{}, filetree.ErrBadPath, "add d/" + long + `: bad path: the name "xxxxxxxxxxxxxxxxxxxx"... has 256 bytes, want at most 255`},
		{"there", "file", filetree.Entry{}, filetree.ErrExist, "add file: file already exists"},
		{"a directory for a file", "file", filetree.Dir(0), filetree.ErrExist, "add file: file already exists"},
		{"a file for a directory", "dir", filetree.Entry{}, filetree.ErrExist, "add dir: file already exists"},
		{"below a file", "file/a/b", filetree.Entry{}, filetree.ErrNotDir, `add file/a/b: parent "file": not a directory`},
		{"below a link", "link/a", filetree.Entry{}, filetree.ErrNotDir, `add link/a: parent "link": not a directory`},
		{"the root as a file", ".", filetree.Entry{}, filetree.ErrBadPath, `add .: bad path: it has the name "."`},
		{"irregular", "a", filetree.Entry{Mode: fs.ModeIrregular}, filetree.ErrBadEntry, "add a: mode ?---------: bad entry: not a type of file that Linux has"},
		{"two types", "a", filetree.Entry{Mode: fs.ModeDir | fs.ModeSymlink}, filetree.ErrBadEntry, "add a: mode dL---------: bad entry: not a type of file that Linux has"},
		{"negative size", "a", filetree.Entry{Size: -1}, filetree.ErrBadEntry, "add a: size of -1 bytes: bad entry"},
		{"size of a directory", "a", filetree.Entry{Mode: fs.ModeDir, Size: 1}, filetree.ErrBadEntry, "add a: content of a file of mode d---------: bad entry: only regular files have any"},
		{"target of a file", "a", filetree.Entry{Target: "x"}, filetree.ErrBadEntry, `add a: target "x" of a file of mode ----------: bad entry: only symbolic links have one`},
		{"no target", "a", filetree.Symlink(""), filetree.ErrBadEntry, `add a: symbolic link's target "" of 0 bytes: bad entry: want 1 to 4095 bytes and no NUL`},
		{"NUL in a target", "a", filetree.Symlink("\x00"), filetree.ErrBadEntry, `add a: symbolic link's target "\x00" of 1 bytes: bad entry: want 1 to 4095 bytes and no NUL`},
		{"minor", "a", filetree.Entry{Mode: fs.ModeDevice, Device: filetree.Device{Minor: 1 << 20}}, filetree.ErrBadEntry, "add a: device 0:1048576: bad entry: want at most 4095:1048575"},
		{"data behind the end", "a", filetree.Entry{Size: 2, Data: []filetree.Range{{Offset: 1, Length: 2}}}, filetree.ErrBadEntry,
			"add a: data range of 2 bytes at 1: bad entry: want ranges in order inside the file's 2 bytes"},
		{"data out of order", "a", filetree.Entry{Size: 9, Data: []filetree.Range{{Offset: 4, Length: 2}, {Offset: 5, Length: 1}}}, filetree.ErrBadEntry,
			"add a: data range of 1 bytes at 5: bad entry: want ranges in order inside the file's 9 bytes"},
		{"data that overflows", "a", filetree.Entry{Size: 9, Data: []filetree.Range{{Offset: 1, Length: 1<<63 - 1}}}, filetree.ErrBadEntry,
			"add a: data range of 9223372036854775807 bytes at 1: bad entry: want ranges in order inside the file's 9 bytes"},
		{"attribute without a namespace", "a", xattr("mime", 0), filetree.ErrBadEntry, `add a: extended attribute "mime": bad entry: want a name as user.x of at most 255 bytes`},
		{"long attribute", "a", xattr("user.x", 65537), filetree.ErrBadEntry, `add a: extended attribute "user.x": value of 65537 bytes: bad entry: want at most 65536`},
		{"attribute twice", "a", filetree.Entry{Xattrs: []filetree.Xattr{{Name: "user.x"}, {Name: "user.y"}, {Name: "user.x"}}}, filetree.ErrBadEntry,
			`add a: extended attribute "user.x": bad entry: it is there twice`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := build(t, "file", "dir/")
			set(t, tr, "link", filetree.Symlink("dir"))
			before := list(t, tr)
			_, err := tr.Add(tt.path, tt.e)
			require.ErrorIs(t, err, tt.is)
			require.EqualError(t, err, tt.want)
			var named *filetree.PathError
			require.ErrorAs(t, err, &named)
			require.Equal(t, before, list(t, tr), "the tree has changed")
		})
	}
}

func TestLink(t *testing.T) {
	tr := build(t, "a", "d/")
	for _, name := range []string{"b", "x/y/c"} {
		n, err := tr.Link(name, "a")
		require.NoError(t, err)
		require.Equal(t, name, n.Path())
	}
	_, err := tr.Link("d/e", "b") // a link of a link is one of the file
	require.NoError(t, err)
	require.Equal(t, []string{
		". drwxr-xr-x", "a -rw-r--r-- 0 links=4", "b -rw-r--r-- 0 links=4", "d drwxr-xr-x", "d/e -rw-r--r-- 0 links=4",
		"x drwxr-xr-x", "x/y drwxr-xr-x", "x/y/c -rw-r--r-- 0 links=4",
	}, list(t, tr))
	require.Equal(t, lookup(t, tr, "a"), lookup(t, tr, "d/e").Inode())
	for _, tt := range []struct{ path, target, want string }{
		{"../a", "a", `link ../a: bad path: it has the name ".."`},
		{"n", "none", `link n: target "none": file does not exist`},
		{"n", "d", `link n: target "d": bad entry: it is a directory`},
		{"b", "a", "link b: file already exists"},
		{"a/n", "a", `link a/n: parent "a": not a directory`},
	} {
		_, err := tr.Link(tt.path, tt.target)
		require.EqualError(t, err, tt.want)
	}
}

func TestLookupFindsNothing(t *testing.T) {
	tr := build(t, "a/b", "c")
	for _, path := range []string{"", "/", "/a", "a/", "a//b", "x", "a/x", "c/x", "a/b/c", "..", "a/.", "a/..", "./a"} {
		_, ok := tr.Lookup(path)
		require.False(t, ok, path)
	}
}

func TestOwners(t *testing.T) {
	tr := filetree.New()
	const many = 1<<16 + 10
	for i := range uint32(many) {
		set(t, tr, fmt.Sprint(i), filetree.Entry{UID: i, GID: 1<<32 - 1 - i})
	}
	for _, i := range []uint32{0, 1, many - 1} {
		n := lookup(t, tr, fmt.Sprint(i))
		require.Equal(t, [2]uint32{i, 1<<32 - 1 - i}, [2]uint32{n.UID(), n.GID()})
	}
}

// TestWideAndDeep would take hours if anything were quadratic.
func TestWideAndDeep(t *testing.T) {
	const files = 20_000
	tr := filetree.New()
	for i := range files {
		set(t, tr, fmt.Sprint("wide/", (i*7919)%files), filetree.Entry{})
	}
	deep := ""
	for range 1_000 {
		deep += "d/"
		set(t, tr, deep+"f", filetree.File([]byte("x"), 0))
	}
	diffs, err := filetree.Diff(t.Context(), tr, tr, filetree.DiffOptions{})
	require.NoError(t, err)
	require.Empty(t, diffs)
	merged, err := filetree.Merge(filetree.Layer{Tree: filetree.New(), To: "below"}, filetree.Layer{Tree: tr, To: "below"})
	require.NoError(t, err)
	require.Equal(t, tr.Len()+1, merged.Len())
	last := ""
	for n := range lookup(t, merged, "below/wide").Children() {
		require.Less(t, last, n.Name())
		last = n.Name()
	}
	require.Equal(t, "below/"+deep+"f", lookup(t, merged, "below/"+deep+"f").Path())
}

// TestTreeAgainstAMap adds files in a random order.
func TestTreeAgainstAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	tr, want := filetree.New(), map[string]bool{}
	for range 20_000 {
		path := fmt.Sprint(r.IntN(30))
		for range r.IntN(3) {
			path += fmt.Sprint("/", r.IntN(30))
		}
		path += fmt.Sprint("/f", strings.Repeat("y", r.IntN(250)))
		_, err := tr.Add(path, filetree.Entry{})
		require.Equal(t, want[path], err != nil, path)
		want[path] = true
	}
	got, last := 0, ""
	require.NoError(t, tr.Walk(func(n filetree.Node) error {
		path := n.Path()
		require.Equal(t, n, lookup(t, tr, path))
		// A slash is less than any character of a name here.
		order := strings.ReplaceAll(path, "/", "\x00")
		require.Less(t, last, order)
		if last = order; path == "." {
			last = ""
		}
		if !n.IsDir() {
			require.True(t, want[path])
			got++
		}
		return nil
	}))
	require.Equal(t, len(want), got)
}

// TestTreeIsReadByMany is for the race detector.
func TestTreeIsReadByMany(t *testing.T) {
	tr := build(t, "b", "a/c", "a/b")
	other, err := filetree.FromFS(treeFS())
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			tr.Sort()
			for range tr.Root().Children() {
				tr.Lookup("a/c")
				other.Lookup("d/f")
			}
			n, _ := other.Lookup("d/f")
			_, err := read(t, n)
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestUnixMode(t *testing.T) {
	for unix, mode := range map[uint16]fs.FileMode{
		0o100644: 0o644,
		0o107777: 0o777 | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky,
		0o041777: fs.ModeDir | fs.ModeSticky | 0o777,
		0o120777: fs.ModeSymlink | 0o777,
		0o010600: fs.ModeNamedPipe | 0o600,
		0o140600: fs.ModeSocket | 0o600,
		0o060660: fs.ModeDevice | 0o660,
		0o020666: fs.ModeDevice | fs.ModeCharDevice | 0o666,
	} {
		require.Equal(t, unix, filetree.UnixMode(mode))
		require.Equal(t, mode, filetree.FileMode(unix))
	}
	require.Equal(t, fs.ModeIrregular|0o600, filetree.FileMode(0o600))
	require.Equal(t, uint16(0o020600), filetree.UnixMode(fs.ModeCharDevice|0o600))
}

func TestContents(t *testing.T) {
	tr := filetree.New()
	set(t, tr, "text", filetree.File([]byte("text"), 0))
	set(t, tr, "zeros", filetree.Entry{Size: 3})
	set(t, tr, "data", filetree.Entry{Size: 3, Data: []filetree.Range{{Offset: 1, Length: 1}}})
	set(t, tr, "sparse", sparse(9, map[int64]string{3: "abc"}))
	for name, want := range map[string]string{"text": "text", "zeros": "\x00\x00\x00", "data": "\x00\x00\x00", "sparse": "\x00\x00\x00abc\x00\x00\x00"} {
		for range 2 {
			got, err := read(t, lookup(t, tr, name))
			require.NoError(t, err)
			require.Equal(t, want, got, name)
		}
	}
	for range lookup(t, tr, "zeros").Data() {
		t.Error("a file of zeros has data")
	}
	_, err := tr.Root().Open()
	require.EqualError(t, err, "open .: bad entry: not a regular file")
}

// TestTimes has those that no record holds as well.
func TestTimes(t *testing.T) {
	times := []time.Time{
		time.Unix(0, 0), time.Unix(-1, 999999999), time.Unix(1<<32, 1),
		time.Unix(-1<<31, 0), time.Unix(-1<<31-1, 999999999),
		time.Unix(-1<<31+1<<34-1, 999999999), time.Unix(-1<<31+1<<34, 0),
		time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	}
	tr, copied := filetree.New(), filetree.New()
	for i, when := range times {
		set(t, tr, fmt.Sprint(i), filetree.Entry{ModTime: when})
		set(t, tr, fmt.Sprint("d", i), filetree.Entry{Mode: fs.ModeDir, ModTime: time.Unix(1<<40, 0)})
		set(t, tr, fmt.Sprint("d", i), filetree.Entry{Mode: fs.ModeDir, ModTime: when, AccessTime: time.Unix(1, 0)})
		set(t, copied, fmt.Sprint(i), filetree.File(nil, 0))
	}
	check := func(tr *filetree.Tree) {
		t.Helper()
		for i, when := range times {
			n, d := lookup(t, tr, fmt.Sprint(i)), lookup(t, tr, fmt.Sprint("d", i))
			require.Equal(t, []time.Time{when.UTC(), when.UTC(), when.UTC(), time.Unix(1, 0).UTC()},
				[]time.Time{n.ModTime(), n.AccessTime(), d.ModTime(), d.AccessTime()})
		}
	}
	check(tr)
	// By a copy that replaces files, and so compacts the tree.
	merged, err := filetree.Merge(filetree.Layer{Tree: copied}, filetree.Layer{Tree: tr})
	require.NoError(t, err)
	check(merged)
	late := time.Unix(1<<40, 0).UTC()
	merged, err = filetree.Merge(filetree.Layer{Tree: merged, Overrides: []filetree.Override{{ModTime: &late}}})
	require.NoError(t, err)
	for i := range times {
		require.Equal(t, late, lookup(t, merged, fmt.Sprint(i)).ModTime())
	}
}
