package filetree_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

// parse returns the tree that lines describe: a path with "/" at its end for a
// directory, "path=content", "path->target" or "path==other name", in order.
func parse(t testing.TB, text string) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	for line := range strings.FieldsSeq(text) {
		if name, target, ok := strings.Cut(line, "->"); ok {
			set(t, tr, name, filetree.Symlink(target))
		} else if name, other, ok := strings.Cut(line, "=="); ok {
			_, err := tr.Link(name, other)
			require.NoError(t, err)
		} else if name, content, ok := strings.Cut(line, "="); ok {
			set(t, tr, name, filetree.File([]byte(content), 0o644))
		} else {
			set(t, tr, path.Clean(line), filetree.Dir(0o700))
		}
	}
	return tr
}

// format is the inverse of parse, but for directories that are full.
func format(t testing.TB, tr *filetree.Tree) string {
	t.Helper()
	var words []string
	first := map[filetree.Node]string{}
	require.NoError(t, tr.Walk(func(n filetree.Node) error {
		if !n.IsDir() {
			if name, ok := first[n.Inode()]; ok {
				words = append(words, n.Path()+"=="+name)
				return nil
			}
			require.Equal(t, n, n.Inode(), "%s: the inode is not the first name", n.Path())
			first[n] = n.Path()
		}
		switch n.Mode().Type() {
		case 0:
			text, err := read(t, n)
			require.NoError(t, err)
			words = append(words, n.Path()+"="+text)
		case fs.ModeSymlink:
			words = append(words, n.Path()+"->"+n.Target())
		case fs.ModeDir:
			for range n.Children() {
				return nil
			}
			words = append(words, n.Path()+"/")
		}
		return nil
	}))
	for id := range tr.Len() {
		require.Equal(t, tr.Node(id), lookup(t, tr, tr.Node(id).Path()))
	}
	return strings.Join(words, " ")
}

func TestMerge(t *testing.T) {
	type layer struct {
		files   string
		to      string
		exclude string
	}
	for _, tt := range []struct {
		name   string
		layers []layer
		want   string
	}{
		{"nothing", nil, "./"},
		{"one", []layer{{files: "a=1 b/"}}, "a=1 b/"},
		{"apart", []layer{{files: "b=1"}, {files: "a=2"}}, "a=2 b=1"},
		{"a file replaces a file", []layer{{files: "a=1 b=1"}, {files: "a=2"}}, "a=2 b=1"},
		{"a directory adds to a directory", []layer{{files: "d/a=1 d/b=1"}, {files: "d/b=2 d/c=2"}}, "d/a=1 d/b=2 d/c=2"},
		{"a file replaces a directory", []layer{{files: "d/a=1 d/e/f=1"}, {files: "d=2"}}, "d=2"},
		{"a directory replaces a file", []layer{{files: "d=1"}, {files: "d/a=2"}}, "d/a=2"},
		{"and back again", []layer{{files: "d/a=1"}, {files: "d=2"}, {files: "d/b=3"}}, "d/b=3"},
		{"a directory replaces a link", []layer{{files: "d->e e/a=1"}, {files: "d/b=2"}}, "d/b=2 e/a=1"},
		{"below a directory", []layer{{files: "a=1"}, {files: "x=2 y/z=2", to: "b/c"}}, "a=1 b/c/x=2 b/c/y/z=2"},
		{"the first below a directory", []layer{{files: "x=1", to: "a"}, {files: "x=2", to: "a"}}, "a/x=2"},
		{"links stay links", []layer{{files: "a=1 b==a"}, {files: "c=2 d==c"}}, "a=1 b==a c=2 d==c"},
		{"the first name is replaced", []layer{{files: "a=1 b==a c==a"}, {files: "a=2"}}, "a=2 b=1 c==b"},
		{"another name is replaced", []layer{{files: "a=1 b==a c==a"}, {files: "c=2"}}, "a=1 b==a c=2"},
		{"all but one name is replaced", []layer{{files: "a=1 b==a c==a"}, {files: "a=2 b==a"}}, "a=2 b==a c=1"},
		{"the first name is excluded", []layer{{}, {files: "a=1 b==a c==a", exclude: "a"}}, "b=1 c==b"},
		{"the only other name is excluded", []layer{{}, {files: "a=1 b==a", exclude: "b"}}, "a=1"},
		{"the first name is in what is replaced", []layer{{files: "d/a=1 e==d/a"}, {files: "d=2"}}, "d=2 e=1"},
		{"excluded names", []layer{{}, {files: "a.bak=1 d/b.bak=1 d/c=1 e.bak/f=1", exclude: "*.bak"}}, "d/c=1"},
		{"excluded but for one", []layer{{}, {files: "a.bak=1 b.bak=1", exclude: "*.bak !b.bak"}}, "b.bak=1"},
		{"excluded from the first", []layer{{files: "a=1 b=1", exclude: "a"}}, "b=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var layers []filetree.Layer
			for _, l := range tt.layers {
				layers = append(layers, filetree.Layer{Tree: parse(t, l.files), To: l.to, Exclude: strings.Fields(l.exclude)})
				if l.exclude == "" {
					layers[len(layers)-1].Exclude = nil
				}
			}
			tr, err := filetree.Merge(layers...)
			require.NoError(t, err)
			require.Equal(t, tt.want, format(t, tr))
			require.NoError(t, tr.Close())
		})
	}
}

func TestMergeOfOneTreeTwice(t *testing.T) {
	tr := parse(t, "a=1 b==a")
	tr, err := filetree.Merge(filetree.Layer{Tree: tr}, filetree.Layer{Tree: tr, To: "copy"}, filetree.Layer{Tree: tr, To: "copy/copy"})
	require.NoError(t, err)
	require.Equal(t, "a=1 b==a copy/a=1 copy/b==copy/a copy/copy/a=1 copy/copy/b==copy/copy/a", format(t, tr))
}

func TestMergeWhiteouts(t *testing.T) {
	const lower = "etc/a=1 etc/b=1 etc/d/e=1 f=1 g==f"
	for _, tt := range []struct{ name, layer, want string }{
		{"a file", "etc/.wh.a=", "etc/b=1 etc/d/e=1 f=1 g==f"},
		{"a directory", "etc/.wh.d=", "etc/a=1 etc/b=1 f=1 g==f"},
		{"what is not there", "etc/.wh.x= y/.wh.z=", "etc/a=1 etc/b=1 etc/d/e=1 f=1 g==f y/"},
		{"the layer's own stays", "etc/.wh.a= etc/a=2", "etc/a=2 etc/b=1 etc/d/e=1 f=1 g==f"},
		{"the layer's own, earlier in the order", "etc/%a=2 etc/.wh.%a=", "etc/%a=2 etc/a=1 etc/b=1 etc/d/e=1 f=1 g==f"},
		{"opaque", "etc/.wh..wh..opq= etc/n=2", "etc/n=2 f=1 g==f"},
		{"opaque, and above", "etc/d/.wh..wh..opq= etc/d/n=2", "etc/a=1 etc/b=1 etc/d/n=2 f=1 g==f"},
		{"of a first name", ".wh.f=", "etc/a=1 etc/b=1 etc/d/e=1 g=1"},
		{"of aufs", ".wh..wh.plnk/x= .wh..wh.aufs=", "etc/a=1 etc/b=1 etc/d/e=1 f=1 g==f"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr, err := filetree.Merge(filetree.Layer{Tree: parse(t, lower)}, filetree.Layer{Tree: parse(t, tt.layer), Whiteouts: true})
			require.NoError(t, err)
			require.Equal(t, tt.want, format(t, tr))
		})
	}
	tr, err := filetree.Merge(filetree.Layer{Tree: parse(t, lower)}, filetree.Layer{Tree: parse(t, ".wh.f=")})
	require.NoError(t, err)
	require.Equal(t, ".wh.f= etc/a=1 etc/b=1 etc/d/e=1 f=1 g==f", format(t, tr))
}

// describe returns modes, owners and times.
func meta(t testing.TB, tr *filetree.Tree) []string {
	t.Helper()
	var got []string
	require.NoError(t, tr.Walk(func(n filetree.Node) error {
		got = append(got, fmt.Sprintf("%s %s %d:%d %d %d", n.Path(), n.Mode(), n.UID(), n.GID(), n.ModTime().Unix(), n.AccessTime().Unix()))
		return nil
	}))
	return got
}

func TestMergeMetadata(t *testing.T) {
	entry := func(mode fs.FileMode, id uint32) filetree.Entry {
		e := filetree.Entry{Mode: mode, UID: id, GID: id, ModTime: time.Unix(int64(id), 0), AccessTime: time.Unix(int64(id)+1, 0)}
		if mode.Type() == fs.ModeSymlink {
			e.Target = "x"
		}
		return e
	}
	lower, upper := filetree.New(), filetree.New()
	set(t, lower, ".", entry(fs.ModeDir|0o711, 1))
	set(t, lower, "etc", entry(fs.ModeDir|0o711, 1))
	set(t, lower, "usr", entry(fs.ModeDir|0o711, 1))
	set(t, upper, "etc", entry(fs.ModeDir|0o700, 2))
	set(t, upper, "etc/f", entry(0o600, 2))
	set(t, upper, "etc/s", entry(fs.ModeSymlink|0o777, 2))
	set(t, upper, "usr/f", entry(0o600, 2)) // usr is not named
	set(t, upper, "var/f", entry(0o600, 2))
	tr, err := filetree.Merge(filetree.Layer{Tree: lower}, filetree.Layer{Tree: upper, Overrides: []filetree.Override{
		{UID: new(uint32(5))},
		{Match: "f", GID: new(uint32(6)), Mode: new(fs.FileMode(0o644)), DirMode: new(fs.FileMode(0))},
		{Match: "/usr/f", Mode: new(0o755 | fs.ModeSetuid), ModTime: new(time.Unix(9, 0))},
		{Match: "etc/", DirMode: new(0o777 | fs.ModeSticky)},
		{Match: "s", Mode: new(fs.FileMode(0)), GID: new(uint32(7))},
	}})
	require.NoError(t, err)
	require.Equal(t, []string{
		". drwx--x--x 1:1 1 2",
		"etc dtrwxrwxrwx 5:2 2 3",
		"etc/f -rw-r--r-- 5:6 2 3",
		"etc/s Lrwxrwxrwx 5:7 2 3",
		"usr drwx--x--x 1:1 1 2",
		"usr/f urwxr-xr-x 5:6 9 9",
		"var drwxr-xr-x 5:0 2 2",
		"var/f -rw-r--r-- 5:6 2 3",
	}, meta(t, tr))
}

// TestMergePutsTheRootToADirectory is what an overlay for /etc does.
func TestMergePutsTheRootToADirectory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o711))
	require.NoError(t, os.WriteFile(dir+"/hosts", []byte("localhost"), 0o644))
	overlay := fromDir(t, dir)
	tr, err := filetree.Merge(filetree.Layer{Tree: parse(t, "etc/passwd=root")}, filetree.Layer{
		Tree: overlay, To: "etc", Overrides: []filetree.Override{{UID: new(uint32(7)), GID: new(uint32(7)), ModTime: new(time.Unix(1, 0))}},
	})
	require.NoError(t, err)
	require.Equal(t, []string{". drwxr-xr-x 0:0 0 0", "etc drwx--x--x 7:7 1 1", "etc/hosts -rw-r--r-- 7:7 1 1", "etc/passwd -rw-r--r-- 0:0 0 0"}, meta(t, tr))
	require.Equal(t, "etc/hosts=localhost etc/passwd=root", format(t, tr))
}

// TestMergeOfTars reads contents through three trees.
func TestMergeOfTars(t *testing.T) {
	open := func(name string) *filetree.Tree {
		tr, err := filetree.FromTar(bytes.NewReader(archive(t, reg(name, 3), link(name+"2", name))))
		require.NoError(t, err)
		return tr
	}
	inner, err := filetree.Merge(filetree.Layer{Tree: open("a"), To: "x"}, filetree.Layer{Tree: open("b")})
	require.NoError(t, err)
	tr, err := filetree.Merge(filetree.Layer{Tree: inner}, filetree.Layer{Tree: open("a"), To: "x", Exclude: []string{"a2"}})
	require.NoError(t, err)
	require.Equal(t, "b=xxx b2==b x/a=xxx x/a2=xxx", format(t, tr))
}

func TestMergeErrors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		layer filetree.Layer
		want  string
	}{
		{"a bad place", filetree.Layer{To: "/etc"}, "merge /etc: bad path: it is absolute, want a path relative to the root"},
		{"a place in a file", filetree.Layer{To: "file/x"}, `merge file/x: parent "file": not a directory`},
		{"a place that is a file", filetree.Layer{To: "file"}, `merge file: parent "file": not a directory`},
		{"a bad pattern", filetree.Layer{Exclude: []string{"a[b"}}, `exclude: pattern "a[b": syntax error in pattern: it is malformed`},
		{"an empty pattern", filetree.Layer{Exclude: []string{""}}, `exclude: pattern "": syntax error in pattern: it has the name ""`},
		{"a pattern that leads out", filetree.Layer{Exclude: []string{"../x"}}, `exclude: pattern "../x": syntax error in pattern: it has the name ".."`},
		{"half a name", filetree.Layer{Exclude: []string{"a**/b"}}, `exclude: pattern "a**/b": syntax error in pattern: ** stands for whole names only`},
		{"an override", filetree.Layer{Overrides: []filetree.Override{{Match: "!x"}}}, `override: pattern "!x": syntax error in pattern: only one that excludes can be negated`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.layer.Tree = parse(t, "a=1")
			_, err := filetree.Merge(filetree.Layer{Tree: parse(t, "file=1")}, tt.layer)
			require.EqualError(t, err, tt.want)
		})
	}
	_, err := filetree.Merge(filetree.Layer{}, filetree.Layer{Tree: parse(t, ".wh...="), Whiteouts: true})
	require.ErrorIs(t, err, filetree.ErrBadPath)
}
