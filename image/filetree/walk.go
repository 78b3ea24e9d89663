package filetree

import (
	"errors"
	"io/fs"
	"iter"
)

// Walk calls fn for every node, the root first, a directory before what is in
// it, and the files of a directory in the order of their names' bytes. It sorts
// the tree.
//
// Where fn returns [fs.SkipDir] for a directory, what is in it is left out; for
// any other file, what is left of its directory. [fs.SkipAll] ends the walk. Any
// other error ends it too and is returned as it is.
func (t *Tree) Walk(fn func(n Node) error) (err error) {
	defer Recover(&err)
	t.Sort()
	for i := uint32(0); ; {
		err := fn(Node{t, i})
		skipped := errors.Is(err, fs.SkipDir)
		switch {
		case errors.Is(err, fs.SkipAll):
			return nil
		case err != nil && !skipped:
			return err
		}
		n := t.nodes.at(i)
		isDir := n.mode&ModeType == ModeDir // a link has no mode
		switch {
		case isDir && !skipped && t.live(n.first) != 0:
			i = t.live(n.first)
			continue
		case skipped && !isDir:
			i = n.parent
		}
		if i = t.after(i); i == 0 {
			return nil
		}
	}
}

// after returns the node that follows i and all below it in a walk, 0 for none.
// There is no stack: a tree may be as deep as it likes.
func (t *Tree) after(i uint32) uint32 {
	for i != 0 {
		if next := t.next(i); next != 0 {
			return next
		}
		i = t.nodes.at(i).parent
	}
	return 0
}

// subtree yields n and all nodes below it, in the order of [Tree.Walk] if the
// tree is sorted.
func (n Node) subtree() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for c := n; ; {
			if !yield(c) {
				return
			}
			if first := c.firstChild(); first.t != nil {
				c = first
				continue
			}
			for c.i != n.i && n.t.next(c.i) == 0 {
				c = c.Parent()
			}
			if c.i == n.i {
				return
			}
			c = c.sibling()
		}
	}
}

// firstChild returns the first node in a directory, or no node, of which t is
// nil.
func (n Node) firstChild() Node {
	if n.t.isDir(n.i) {
		if first := n.t.live(n.t.nodes.at(n.i).first); first != 0 {
			return Node{n.t, first}
		}
	}
	return Node{}
}

// sibling returns the node that follows in the same directory, or no node.
func (n Node) sibling() Node {
	if next := n.t.next(n.i); next != 0 {
		return Node{n.t, next}
	}
	return Node{}
}
