package erofs

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/xattr"
)

// Limits of extended attributes.
const (
	maxXattrValue = math.MaxUint16
	maxShared     = math.MaxUint8                         // of one inode
	maxXattrs     = xattrHeaderLen + 4*(math.MaxUint16-1) // bytes behind an inode
)

// attr is an extended attribute as EROFS has it. Values of access control lists are
// those of the system calls.
type attr struct {
	index uint8
	name  string // without the prefix
	value []byte
}

// newAttr turns an attribute of the tree into one of EROFS.
func newAttr(x filetree.Xattr) (attr, error) {
	index, name, ok := xattr.Split(x.Name)
	switch {
	case !ok:
		return attr{}, fmt.Errorf("extended attribute %s: %w: want %s", x.Name, ErrUnsupported, xattr.Names)
	case len(x.Value) > maxXattrValue:
		return attr{}, fmt.Errorf("extended attribute %s: %w: value of %d bytes, want at most %d", x.Name, ErrUnsupported, len(x.Value), maxXattrValue)
	}
	return attr{index, name, x.Value}, nil
}

func (a *attr) entry() xattrEntry {
	return xattrEntry{nameLen: uint8(len(a.name)), index: a.index, valueLen: uint16(len(a.value))}
}

// size returns the bytes that the attribute takes.
func (a *attr) size() int {
	e := a.entry()
	return e.size()
}

// append appends the attribute with its name and value to b.
func (a *attr) append(b []byte) []byte {
	e := a.entry()
	end := len(b) + e.size()
	b = e.append(b)
	b = append(b, a.name...)
	b = append(b, a.value...)
	return append(b, 0, 0, 0)[:end]
}

// attrKey stands for an attribute and its value: half a SHA-256 of them.
type attrKey [16]byte

func (a *attr) key() attrKey {
	h := sha256.New()
	h.Write([]byte{a.index, uint8(len(a.name))})
	h.Write([]byte(a.name))
	h.Write(a.value)
	return attrKey(h.Sum(nil))
}

// attrUse is an attribute that has been seen.
type attrUse struct {
	node  uint32 // the first that has it
	index uint32 // in the node's Xattrs
	count uint32 // of the nodes that have it
}

// sharing finds the attributes that several inodes have, which are written once.
type sharing struct {
	seen map[attrKey]uint32 // into uses
	uses []attrUse
	ids  map[attrKey]uint32 // of those that are shared: their offset / 4
	size int64              // of the shared ones, in bytes
}

// add counts the attributes of a node.
func (s *sharing) add(n filetree.Node) error {
	for i, x := range n.Xattrs() {
		a, err := newAttr(x)
		if err != nil {
			return fileError(n, err)
		}
		if s.seen == nil {
			s.seen = map[attrKey]uint32{}
		}
		key := a.key()
		at, ok := s.seen[key]
		if !ok {
			at = uint32(len(s.uses))
			s.seen[key] = at
			s.uses = append(s.uses, attrUse{node: uint32(n.ID()), index: uint32(i)})
		}
		s.uses[at].count++
	}
	return nil
}

// settle keeps those for which sharing takes less room, and gives them places in
// the order in which they were found.
func (s *sharing) settle(tree *filetree.Tree) {
	shared := s.uses[:0]
	s.ids = map[attrKey]uint32{}
	for _, u := range s.uses {
		a := u.attr(tree)
		size, count := int64(a.size()), int64(u.count)
		if size+4*count >= size*count || s.size/4 > math.MaxUint32 {
			continue
		}
		s.ids[a.key()] = uint32(s.size / 4)
		s.size += size
		shared = append(shared, u)
	}
	s.uses, s.seen = slices.Clone(shared), nil
}

// attr returns the attribute, which newAttr has accepted before.
func (u attrUse) attr(tree *filetree.Tree) attr {
	a, _ := newAttr(tree.Node(int(u.node)).Xattrs()[u.index])
	return a
}

// bodyOf returns what is behind the inode of a node: a header, the places of shared
// attributes, and the others. It is empty for a node without attributes.
func (s *sharing) bodyOf(n filetree.Node) ([]byte, error) {
	xattrs := n.Xattrs()
	if len(xattrs) == 0 {
		return nil, nil
	}
	b := make([]byte, xattrHeaderLen)
	var own []attr
	for _, x := range xattrs {
		a, err := newAttr(x)
		if err != nil {
			return nil, fileError(n, err)
		}
		id, ok := s.ids[a.key()]
		if !ok || b[4] == maxShared {
			own = append(own, a)
			continue
		}
		b[4]++ // h_shared_count
		b = le.AppendUint32(b, id)
	}
	for _, a := range own {
		b = a.append(b)
	}
	if len(b) > maxXattrs {
		return nil, fileError(n, fmt.Errorf("%w: extended attributes of %d bytes, want at most %d", ErrUnsupported, len(b), maxXattrs))
	}
	return b, nil
}
