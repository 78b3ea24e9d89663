package filetree

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fewPages is how many pages of a list a tree of manyTree keeps in memory, and
// manyFiles more files than there is room for in these.
const (
	fewPages  = 16
	manyFiles = 3 * fewPages * pageSize / nodeLen
)

// manyName returns the path of file i: all names together are more, too.
func manyName(i int) string { return fmt.Sprintf("%03d/%06d-%s", i%100, i, strings.Repeat("n", 60)) }

// manyEntry is the entry of file i: no two are the same.
func manyEntry(i int) Entry {
	return Entry{
		Mode: fs.FileMode(i % 0o1000), UID: uint32(i), GID: uint32(i) * 3, Size: int64(i+1) << 20, Data: []Range{{int64(i), 1}, {int64(i) + 5, 7}},
		ModTime: time.Unix(int64(i)*1000, int64(i)).UTC(), AccessTime: time.Unix(int64(i), 0).UTC(), ChangeTime: time.Unix(int64(-i)-1, 5).UTC(),
		Xattrs: []Xattr{{Name: "user.i", Value: fmt.Append(nil, i)}, {Name: "user.long", Value: bytes.Repeat([]byte{byte(i)}, i%300)}},
	}
}

// manyTree adds the files in an order that is not that of the names.
func manyTree(t testing.TB) *Tree {
	t.Helper()
	tr := New()
	for _, p := range tr.lists() {
		p.most = fewPages
	}
	for k := range manyFiles {
		i := k * 7919 % manyFiles
		_, err := tr.Add(manyName(i), manyEntry(i))
		require.NoError(t, err)
	}
	return tr
}

// lists returns what a tree keeps in pages.
func (t *Tree) lists() [3]*pages {
	return [3]*pages{&t.nodes.pages, &t.names.pages, &t.extras.pages}
}

// checkMany holds each file against its entry.
func checkMany(t testing.TB, tr *Tree) {
	t.Helper()
	files, last := 0, ""
	require.NoError(t, tr.Walk(func(n Node) error {
		path := n.Path()
		if path != "." {
			require.Less(t, last, path)
			last = path
		}
		if n.IsDir() {
			return nil
		}
		files++
		var dir, i int
		if _, err := fmt.Sscanf(path, "%d/%d", &dir, &i); err != nil {
			return err
		}
		got := Entry{Mode: n.Mode(), UID: n.UID(), GID: n.GID(), Size: n.Size(),
			ModTime: n.ModTime(), AccessTime: n.AccessTime(), ChangeTime: n.ChangeTime(), Xattrs: n.Xattrs()}
		for r := range n.Data() {
			got.Data = append(got.Data, r)
		}
		if want := manyEntry(i); fmt.Sprint(want) != fmt.Sprint(got) { // faster than to compare deeply
			require.Equal(t, want, got, path)
		}
		return nil
	}))
	require.Equal(t, manyFiles, files)
}

func TestLargeTreeLiesInTemporaryFiles(t *testing.T) {
	tr := manyTree(t)
	for _, p := range tr.lists() {
		require.NotNil(t, p.file)
		require.LessOrEqual(t, p.inUse, fewPages)
	}
	checkMany(t, tr)

	// By a copy, and by one that replaces files and so compacts the tree.
	replaced := New()
	for i := range 10 {
		e := manyEntry(i)
		e.UID++
		_, err := replaced.Add(manyName(i), e)
		require.NoError(t, err)
	}
	merged, err := Merge(Layer{Tree: replaced}, Layer{Tree: tr})
	require.NoError(t, err)
	checkMany(t, merged)
}

// TestWithoutRoomForTemporaryFiles keeps everything in memory.
func TestWithoutRoomForTemporaryFiles(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/none")
	t.Setenv("TMP", os.Getenv("TMPDIR"))
	tr := manyTree(t)
	require.Nil(t, tr.nodes.file)
	require.True(t, tr.nodes.failed)
	checkMany(t, tr)
}

// TestLostTemporaryFiles has temporary files fail: those that few nodes need first,
// as each that fails stays so.
func TestLostTemporaryFiles(t *testing.T) {
	tr := manyTree(t)
	tr.Sort()
	lost := func(t *testing.T, err error, want string) {
		t.Helper()
		require.ErrorIs(t, err, ErrLost)
		require.EqualError(t, err, want)
	}
	const closed, truncated = "filetree: metadata is lost: read %s: file already closed", "filetree: metadata is lost: unexpected EOF"

	name := tr.extras.file.Name()
	require.NoError(t, tr.extras.file.Close())
	lost(t, tr.Walk(func(n Node) error { _ = n.Xattrs(); return nil }), fmt.Sprintf(closed, name))
	_, err := Diff(t.Context(), tr, tr, DiffOptions{Aspects: AspectXattrs})
	lost(t, err, fmt.Sprintf(closed, name))
	require.NoError(t, tr.Walk(func(n Node) error { _ = n.Name(); return nil }))

	require.NoError(t, tr.names.file.Truncate(0))
	lost(t, tr.Walk(func(n Node) error { _ = n.Name(); return nil }), truncated)
	sub := New()
	require.NoError(t, sub.Walk(func(Node) error { return nil }))
	_, err = Merge(Layer{Tree: sub}, Layer{Tree: tr})
	lost(t, err, truncated)

	name = tr.nodes.file.Name()
	require.NoError(t, tr.nodes.file.Close())
	lost(t, tr.Walk(func(Node) error { return nil }), fmt.Sprintf(closed, name))
	far := tr.Node(tr.Len() / 2) // no longer in memory
	require.Nil(t, tr.nodes.slots[far.ID()*nodeLen/pageSize].page.Load())
	_, err = far.Open()
	lost(t, err, fmt.Sprintf(closed, name))
	lost(t, far.Stream(nil), fmt.Sprintf(closed, name))
	require.PanicsWithError(t, fmt.Sprintf(closed, name), func() { far.Mode() })
}

// TestRecover leaves alone what is not lost.
func TestRecover(t *testing.T) {
	tr := New()
	require.PanicsWithValue(t, "other", func() { _ = tr.Walk(func(Node) error { panic("other") }) })
	other := errors.New("other")
	require.Equal(t, other, tr.Walk(func(Node) error { return other }))
}

// TestLargeTreeIsReadByMany is for the race detector as well.
func TestLargeTreeIsReadByMany(t *testing.T) {
	const manyFiles = maxPages * pageSize / nodeLen * 9 / 8 // more than any tree keeps
	tr := New()
	for i := range manyFiles {
		_, err := tr.Add(fmt.Sprintf("%06d", i), Entry{UID: uint32(i)})
		require.NoError(t, err)
	}
	require.NotNil(t, tr.nodes.file)
	require.LessOrEqual(t, tr.nodes.inUse, maxPages)
	var group sync.WaitGroup
	for seed := range uint64(4) {
		group.Go(func() {
			r := rand.New(rand.NewPCG(seed, 0))
			for range 10_000 {
				i := r.IntN(manyFiles)
				n, ok := tr.Lookup(fmt.Sprintf("%06d", i))
				if !ok || n.UID() != uint32(i) {
					t.Errorf("file %d: found %t, of owner %d", i, ok, n.UID())
					return
				}
			}
		})
	}
	group.Wait()
}

func TestExtrasOfAllLengths(t *testing.T) {
	var es extras
	var want []extra
	var places []uint32
	for i := range 2000 {
		x := extra{target: strings.Repeat("t", i*3%MaxTarget), data: []Range{}}
		if i%100 == 0 {
			x.xattrs = []Xattr{{Name: "user.x", Value: bytes.Repeat([]byte{1}, MaxXattr-i)}}
		}
		at, err := es.add(&x)
		require.NoError(t, err)
		again, err := es.add(&x)
		require.NoError(t, err)
		require.Equal(t, len(x.append(nil)) <= maxSharedLen, at == again)
		want, places = append(want, x), append(places, at)
	}
	for i, at := range places {
		require.Equal(t, want[i], *es.at(at))
	}
	require.Zero(t, *es.at(0))
}
