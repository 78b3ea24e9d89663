package filetree

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Difference is one thing in which a tree differs from what it should be.
type Difference struct {
	// Path names the file, as [Node.Path] does.
	Path string
	// Aspect is what differs, one of the constants.
	Aspect Aspect
	// Want and Got are its values in words. Of a file that is in one tree only,
	// they are what it is there, and empty for the other.
	Want, Got string
}

// String returns the difference as a line: the path, what is there, and what
// should be.
func (d Difference) String() string {
	switch {
	case d.Aspect == AspectName && d.Got == "":
		return fmt.Sprintf("%s: missing: %s", d.Path, d.Want)
	case d.Aspect == AspectName:
		return fmt.Sprintf("%s: unexpected: %s", d.Path, d.Got)
	}
	return fmt.Sprintf("%s: %s %s, want %s", d.Path, d.Aspect, d.Got, d.Want)
}

// DiffOptions says how [Diff] compares. Its zero value compares all of
// [DefaultAspects].
type DiffOptions struct {
	// Aspects is what is compared. Zero is DefaultAspects.
	Aspects Aspect
	// TimeResolution is how fine the coarser of the two trees holds times:
	// those that are less than it apart count as the same. Zero is a nanosecond.
	TimeResolution time.Duration
	// Skip leaves out a file and what is below it, in both trees. nil is none.
	Skip func(path string) bool
	// SkipXattr leaves out an extended attribute. nil is none.
	SkipXattr func(name string) bool
	// Limit ends the comparison when that many differences have been found.
	// Zero is no limit.
	Limit int
}

// Diff compares two trees and returns in what got differs from want, in the
// order of a [Tree.Walk]. A directory that is in one tree only is one
// difference, whatever is in it.
//
// Contents are compared byte by byte, several files at a time, and read once;
// where neither tree has data, nothing is read. An error is one of reading
// either tree, or the context's. Diff sorts both trees.
func Diff(ctx context.Context, want, got *Tree, o DiffOptions) ([]Difference, error) {
	if o.Aspects == 0 {
		o.Aspects = DefaultAspects
	}
	d := &differ{
		o:     o,
		pairs: map[[2]int]bool{},
		links: [2]map[int]Node{{}, {}},
	}
	d.contents = newComparer(ctx, &d.found)
	if err := d.trees(want, got); err != nil {
		d.contents.cancel(err)
	}
	err := d.contents.wait()
	return d.found.sorted(o.Limit), err
}

// differ compares two trees.
type differ struct {
	o        DiffOptions
	seq      int // of the node that is being compared
	contents *comparer
	found    foundList
	pairs    map[[2]int]bool // hard-linked files that have been compared
	links    [2]map[int]Node // the first common name of each hard-linked file
}

// trees compares all but contents, which are handed in to be compared.
func (d *differ) trees(want, got *Tree) (err error) {
	defer Recover(&err)
	want.Sort()
	got.Sort()
	d.node(want.Root(), got.Root())
	return nil
}

// node compares two nodes of one path, and all that is below them. Paths are made
// only where they are wanted: in a deep tree they are long.
func (d *differ) node(want, got Node) {
	if d.done() {
		return
	}
	d.seq++
	wt, gt := want.Mode().Type(), got.Mode().Type()
	if wt != gt {
		d.report(AspectType, want, describe(want), describe(got))
		return
	}
	d.hardLink(want, got)
	if !d.first(want, got) {
		return
	}
	d.metadata(want, got)
	d.xattrs(want, got)
	switch wt {
	case 0:
		d.file(want, got)
	case fs.ModeDir:
		d.dir(want, got)
	}
}

// done reports whether nothing else needs to be found.
func (d *differ) done() bool {
	return d.contents.ctx.Err() != nil || d.o.Limit > 0 && d.found.len() >= d.o.Limit
}

// first reports whether the two files are compared for the first time. Only
// files that are linked on both sides can come again.
func (d *differ) first(want, got Node) bool {
	if want.Links() == 1 || got.Links() == 1 {
		return true
	}
	pair := [2]int{want.Inode().ID(), got.Inode().ID()}
	if d.pairs[pair] {
		return false
	}
	d.pairs[pair] = true
	return true
}

// hardLink compares of which files two nodes are a name: those are the same
// where the first name that both trees know is.
func (d *differ) hardLink(want, got Node) {
	if d.o.Aspects&AspectLinks == 0 || want.Links() == 1 && got.Links() == 1 {
		return
	}
	var name [2]string
	for i, n := range [2]Node{want, got} {
		id := n.Inode().ID()
		first, ok := d.links[i][id]
		if !ok {
			d.links[i][id] = n
			name[i] = "none"
			continue
		}
		name[i] = "to " + first.Path()
	}
	d.compare(AspectLinks, want, name[0], name[1])
}

// dir merges the children of two directories, which are in order.
func (d *differ) dir(want, got Node) {
	w, g := want.firstChild(), got.firstChild()
	for (w.t != nil || g.t != nil) && !d.done() {
		order := 0
		switch {
		case g.t == nil:
			order = -1
		case w.t == nil:
			order = 1
		default:
			order = bytes.Compare(w.t.name(w.i), g.t.name(g.i))
		}
		switch {
		case order < 0:
			d.single(w, true)
		case order > 0:
			d.single(g, false)
		default:
			if d.o.Skip == nil || !d.o.Skip(w.Path()) {
				d.node(w, g)
			}
		}
		if order <= 0 {
			w = w.sibling()
		}
		if order >= 0 {
			g = g.sibling()
		}
	}
}

// single reports a node that is in one tree only.
func (d *differ) single(n Node, wanted bool) {
	if d.o.Skip != nil && d.o.Skip(n.Path()) {
		return
	}
	d.seq++
	if wanted {
		d.report(AspectName, n, describe(n), "")
	} else {
		d.report(AspectName, n, "", describe(n))
	}
}

// file compares what only regular files have.
func (d *differ) file(want, got Node) {
	if d.o.Aspects&AspectHoles != 0 {
		d.compare(AspectHoles, want, ranges(want), ranges(got))
	}
	switch {
	case want.Size() != got.Size():
		d.report(AspectSize, want, fmt.Sprint(want.Size()), fmt.Sprint(got.Size()))
	case d.o.Aspects&AspectContent != 0 && want.Size() > 0:
		d.contents.add(contentPair{seq: d.seq, want: want, got: got})
	}
}

// metadata compares what every file has.
func (d *differ) metadata(want, got Node) {
	const perm = 0o7777
	if w, g := want.UnixMode()&perm, got.UnixMode()&perm; w != g && !isLink(want) {
		d.report(AspectMode, want, fmt.Sprintf("%04o", w), fmt.Sprintf("%04o", g))
	}
	if want.UID() != got.UID() || want.GID() != got.GID() {
		d.report(AspectOwner, want, fmt.Sprintf("%d:%d", want.UID(), want.GID()), fmt.Sprintf("%d:%d", got.UID(), got.GID()))
	}
	d.time(AspectModTime, want, want.ModTime(), got.ModTime())
	if d.o.Aspects&(AspectAccessTime|AspectChangeTime) != 0 {
		d.time(AspectAccessTime, want, want.AccessTime(), got.AccessTime())
		d.time(AspectChangeTime, want, want.ChangeTime(), got.ChangeTime())
	}
	if isLink(want) {
		d.compare(AspectTarget, want, strconv.Quote(want.Target()), strconv.Quote(got.Target()))
	}
	if w, g := want.Device(), got.Device(); w != g {
		d.report(AspectDevice, want, fmt.Sprintf("%d:%d", w.Major, w.Minor), fmt.Sprintf("%d:%d", g.Major, g.Minor))
	}
}

// isLink reports whether n is a symbolic link. Those have permissions that
// nothing looks at, and that file systems make up.
func isLink(n Node) bool { return n.UnixMode()&ModeType == ModeSymlink }

func (d *differ) time(a Aspect, n Node, want, got time.Time) {
	apart := want.Sub(got).Abs()
	if apart != 0 && apart >= d.o.TimeResolution {
		d.report(a, n, want.Format(time.RFC3339Nano), got.Format(time.RFC3339Nano))
	}
}

// xattrs merges two lists of extended attributes, which are in order.
func (d *differ) xattrs(want, got Node) {
	w, g := want.Xattrs(), got.Xattrs()
	for len(w) > 0 || len(g) > 0 {
		order := 0
		switch {
		case len(g) == 0:
			order = -1
		case len(w) == 0:
			order = 1
		default:
			order = strings.Compare(w[0].Name, g[0].Name)
		}
		var name, wv, gv string
		if order >= 0 {
			name, gv = g[0].Name, string(g[0].Value)
			g = g[1:]
		}
		if order <= 0 {
			name, wv = w[0].Name, string(w[0].Value)
			w = w[1:]
		}
		if order == 0 && wv == gv || d.o.SkipXattr != nil && d.o.SkipXattr(name) {
			continue
		}
		wv, gv = name+"="+strconv.Quote(wv), name+"="+strconv.Quote(gv)
		if order < 0 {
			gv = "none"
		} else if order > 0 {
			wv = "no " + name
		}
		d.report(AspectXattrs, want, wv, gv)
	}
}

// compare reports an aspect of which the values differ.
func (d *differ) compare(a Aspect, n Node, want, got string) {
	if want != got {
		d.report(a, n, want, got)
	}
}

// report takes a difference down if it is of an aspect that is compared.
func (d *differ) report(a Aspect, n Node, want, got string) {
	if d.o.Aspects&a != 0 {
		d.found.add(d.seq, Difference{Path: n.Path(), Aspect: a, Want: want, Got: got})
	}
}

// foundList is the differences, each with the number of its node: those of
// contents are found later than the others.
type foundList struct {
	mu   sync.Mutex
	list []foundDifference
}

type foundDifference struct {
	seq int
	Difference
}

func (f *foundList) add(seq int, d Difference) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, foundDifference{seq, d})
}

func (f *foundList) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.list)
}

// sorted returns at most limit differences in the order of their nodes.
func (f *foundList) sorted(limit int) []Difference {
	slices.SortStableFunc(f.list, func(a, b foundDifference) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.Aspect, b.Aspect))
	})
	var list []Difference
	for _, d := range f.list {
		if limit > 0 && len(list) == limit {
			break
		}
		list = append(list, d.Difference)
	}
	return list
}
