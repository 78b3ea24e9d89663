package ext4_test

import (
	"io/fs"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
)

// open opens an image to be read.
func open(t testing.TB, image string) *ext4.Reader {
	t.Helper()
	f, err := os.Open(image)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	info, err := f.Stat()
	require.NoError(t, err)
	r, err := ext4.Open(f, info.Size())
	require.NoError(t, err)
	return r
}

// allAspects is all that ext4 holds.
const allAspects = filetree.DefaultAspects | filetree.AspectAccessTime | filetree.AspectChangeTime

// requireRead compares what a reader finds with a tree.
func requireRead(t testing.TB, want *filetree.Tree, fsys fs.FS, aspects filetree.Aspect) {
	t.Helper()
	got, err := filetree.FromFS(fsys)
	require.NoError(t, err)
	diffs, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{
		Aspects: aspects,
		Skip:    func(path string) bool { return path == "lost+found" },
	})
	require.NoError(t, err)
	require.Empty(t, diffs)
}

func TestReaderReadsEverything(t *testing.T) {
	for _, blockSize := range []int{1024, 2048, 4096} {
		tr := everything(t)
		r := open(t, write(t, &ext4.FileSystem{Tree: tr, BlockSize: blockSize, Label: "every thing"}, 64<<20))
		requireRead(t, tr, r, allAspects)
	}
}

func TestReaderInfo(t *testing.T) {
	tr := everything(t)
	p, err := (&ext4.FileSystem{Tree: tr, Label: "every thing"}).Plan(t.Context(), geometry(64<<20))
	require.NoError(t, err)
	name := t.TempDir() + "/ext4.img"
	writePlan(t, p, name)
	want := p.Info()
	links := int64(0)
	require.NoError(t, tr.Walk(func(n filetree.Node) error {
		if n.Inode() != n {
			links++
		}
		return nil
	}))
	want.Files -= links // names that share an inode
	want.Free = nil     // which is not read
	got, err := open(t, name).Info()
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestReaderIsFS has the standard library judge the fs.FS, of names that it takes.
func TestReaderIsFS(t *testing.T) {
	tr := filetree.New()
	for path, e := range map[string]filetree.Entry{
		"a/b/c": filetree.File([]byte("deep"), 0o640), "empty": {Mode: 0o600}, "a/d": filetree.Dir(0o700),
		"link": filetree.Symlink("a/b/c"), "a/up": filetree.Symlink("../a/b"), "abs": filetree.Symlink("/a/b"),
	} {
		_, err := tr.Add(path, e)
		require.NoError(t, err)
	}
	r := open(t, write(t, &ext4.FileSystem{Tree: tr}, 0))
	require.NoError(t, fstest.TestFS(r, "a/b/c", "empty", "a/d", "link", "a/up", "abs"))
	for _, path := range []string{"link", "a/up/c", "abs/c", "a/b/c", "a/up/../b/c"} {
		b, err := r.ReadFile(path)
		if path == "a/up/../b/c" {
			require.ErrorIs(t, err, fs.ErrInvalid)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, "deep", string(b))
	}
	_, err := r.Open("a/b/c/d")
	require.ErrorIs(t, err, fs.ErrNotExist)
}
