package filetree

import (
	"fmt"
	"io/fs"
	"iter"
	"time"
)

// Node is one name in a [Tree]. It is a small value, valid as long as the tree.
//
// The second and further names of a hard-linked file are nodes whose
// [Node.Inode] is the first; their other methods answer for that one, but for
// Name, Path and ID.
type Node struct {
	t *Tree
	i uint32
}

// ID returns the node's number, from 0, the root, to Tree.Len()-1. Writers keep
// what they know of a node in slices that it indexes.
func (n Node) ID() int { return int(n.i) }

// Name returns the node's name, "" for the root.
func (n Node) Name() string { return string(n.t.name(n.i)) }

// AppendName appends the node's name to b and returns the result.
func (n Node) AppendName(b []byte) []byte { return append(b, n.t.name(n.i)...) }

// Path returns the path from the root as [Tree.Lookup] takes it, "." for the
// root.
func (n Node) Path() string {
	if n.i == 0 {
		return "."
	}
	size := -1
	for i := n.i; i != 0; i = n.t.nodes.at(i).parent {
		size += 1 + len(n.t.name(i))
	}
	// From the end to the front: each name is copied once, however deep it is.
	path := make([]byte, size)
	for i := n.i; ; {
		name := n.t.name(i)
		size -= len(name)
		copy(path[size:], name)
		if i = n.t.nodes.at(i).parent; i == 0 {
			return string(path)
		}
		size--
		path[size] = '/'
	}
}

// Parent returns the directory that the node is in. The root is in itself.
func (n Node) Parent() Node { return Node{n.t, n.t.nodes.at(n.i).parent} }

// Inode returns the node whose name n is another of, or n itself.
func (n Node) Inode() Node {
	i, _ := n.t.nodes.inode(n.i)
	return Node{n.t, i}
}

// Links returns how many names the file has in the tree. A directory has one.
func (n Node) Links() int { return 1 + int(n.rec().links) }

// IsDir reports whether the node is a directory.
func (n Node) IsDir() bool { return n.t.isDir(n.i) } // a link has no mode

// Mode returns the type and the permissions.
func (n Node) Mode() fs.FileMode { return FileMode(n.UnixMode()) }

// UnixMode returns the type and the permissions as Linux encodes them.
func (n Node) UnixMode() uint16 {
	_, b := n.t.nodes.inode(n.i)
	return modeOf(b)
}

// UID returns the number of the owning user.
func (n Node) UID() uint32 { return n.rec().uid }

// GID returns the number of the owning group.
func (n Node) GID() uint32 { return n.rec().gid }

// ModTime returns the time of the content's last change, in UTC.
func (n Node) ModTime() time.Time {
	r := n.rec()
	return r.modTime()
}

// AccessTime returns the time of the last access, which is the ModTime where the
// source has no other.
func (n Node) AccessTime() time.Time {
	r := n.rec()
	return r.orModTime(n.t.extras.at(r.extra).access)
}

// ChangeTime returns the time of the last change of the metadata, which is the
// ModTime where the source has no other.
func (n Node) ChangeTime() time.Time {
	r := n.rec()
	return r.orModTime(n.t.extras.at(r.extra).change)
}

// Size returns the length of a regular file in bytes, 0 for all others.
func (n Node) Size() int64 {
	if r := n.rec(); r.mode&ModeType == ModeRegular {
		return r.size()
	}
	return 0
}

// Data yields the ranges of a regular file that hold data, in order: one for a
// file without holes, none for an empty one.
func (n Node) Data() iter.Seq[Range] {
	return func(yield func(Range) bool) {
		r := n.rec()
		ranges := n.t.extras.at(r.extra).data
		if r.mode&ModeType == ModeRegular && ranges == nil && r.size() > 0 {
			yield(Range{0, r.size()})
		}
		for _, r := range ranges {
			if !yield(r) {
				return
			}
		}
	}
}

// Target returns what a symbolic link points to, "" for all others.
func (n Node) Target() string { return n.more().target }

// Device returns the number of a device, 0:0 for all others.
func (n Node) Device() Device {
	switch r := n.rec(); r.mode & ModeType {
	case ModeChar, ModeBlock:
		return Device{Major: r.first, Minor: r.last}
	}
	return Device{}
}

// Xattrs returns the extended attributes in the order of their names. They are
// the tree's own and may not be changed.
func (n Node) Xattrs() []Xattr { return n.more().xattrs }

// Children yields the nodes of a directory, in the order of their names' bytes
// once the tree is sorted.
func (n Node) Children() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		for i := range n.t.children(n.i) {
			if !yield(Node{n.t, i}) {
				return
			}
		}
	}
}

// Open opens the content of a regular file, which the caller closes.
func (n Node) Open() (c Content, err error) {
	defer Recover(&err)
	n = n.Inode()
	r := n.rec()
	if r.mode&ModeType != ModeRegular {
		return nil, &PathError{Op: "open", Path: n.Path(), Err: fmt.Errorf("%w: not a regular file", ErrBadEntry)}
	}
	return n.t.sources[r.source].open(n)
}

// rec returns the record of the node's inode.
func (n Node) rec() node {
	_, b := n.t.nodes.inode(n.i)
	return decodeNode(b)
}

// more returns what few nodes have, empty for all others.
func (n Node) more() *extra {
	_, b := n.t.nodes.inode(n.i)
	return n.t.extras.at(extraOf(b))
}
