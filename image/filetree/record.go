package filetree

import (
	"encoding/binary"
	"time"
)

// node is the record of one name. Zero as an index means "none": the root, node
// 0, is nobody's child, sibling or link target.
//
// What first and last are depends on the type of file:
//   - a directory's first and last child
//   - a regular file's size, first the upper half
//   - a device's major and minor number
//   - another name's node with the metadata, in first
type node struct {
	sec      int64  // the time of modification, from 1970
	nsec     uint32 // of it, 0 to 999,999,999
	name     uint32 // where in names
	parent   uint32
	next     uint32 // the next sibling
	first    uint32
	last     uint32
	key      uint32 // by which the source knows a regular file
	uid, gid uint32
	extra    uint32 // where in extras, 0 for nothing
	links    uint32 // names beyond the first
	mode     uint16
	source   uint16
	flags    uint16
}

// Flags of a node.
const (
	flagLink     = 1 << iota // another name of node.first
	flagDead                 // not in the tree any more, with all below it
	flagImplied              // a directory that nobody has named but for what is in it
	flagUnsorted             // a directory of which the children are not in order
)

func (n *node) setModTime(t time.Time) {
	n.sec, n.nsec = 0, 0
	if !t.IsZero() {
		n.sec, n.nsec = t.Unix(), uint32(t.Nanosecond())
	}
}

func (n *node) modTime() time.Time { return time.Unix(n.sec, int64(n.nsec)).UTC() }

// orModTime returns t, or the time of modification where t is zero.
func (n *node) orModTime(t time.Time) time.Time {
	if t.IsZero() {
		return n.modTime()
	}
	return t
}

func (n *node) setSize(size int64) { n.first, n.last = uint32(size>>32), uint32(size) }
func (n *node) size() int64        { return int64(n.first)<<32 | int64(n.last) }

// nodeLen is the length of a record in bytes. It divides a page.
const nodeLen = 64

// nodes is the records of a tree, by number.
type nodes struct{ pages }

func (ns *nodes) len() int { return int(ns.size / nodeLen) }

// add appends a record and returns its number.
func (ns *nodes) add(n *node) uint32 {
	i := uint32(ns.grow(nodeLen) / nodeLen)
	ns.set(i, n)
	return i
}

// at returns record i, a copy: what is changed has to be set.
func (ns *nodes) at(i uint32) node { return decodeNode(ns.view(i)) }

func decodeNode(b *[nodeLen]byte) (n node) {
	le := binary.LittleEndian
	n.sec = int64(le.Uint64(b[0:]))
	n.nsec = le.Uint32(b[8:])
	n.name = le.Uint32(b[12:])
	n.parent = le.Uint32(b[16:])
	n.next = le.Uint32(b[20:])
	n.first = le.Uint32(b[24:])
	n.last = le.Uint32(b[28:])
	n.key = le.Uint32(b[32:])
	n.uid = le.Uint32(b[36:])
	n.gid = le.Uint32(b[40:])
	n.extra = le.Uint32(b[44:])
	n.links = le.Uint32(b[48:])
	n.mode = le.Uint16(b[52:])
	n.source = le.Uint16(b[54:])
	n.flags = le.Uint16(b[56:])
	return n
}

// view returns the bytes of record i, which may not be changed.
func (ns *nodes) view(i uint32) *[nodeLen]byte {
	return (*[nodeLen]byte)(ns.pages.at(uint64(i)*nodeLen, nodeLen))
}

// The methods below read a field or two of a record: those that all who go through
// a tree ask for, again and again.

// mode returns the mode of record i, 0 where it is another name of a file.
func (ns *nodes) mode(i uint32) uint16 { return modeOf(ns.view(i)) }

// name returns where the name of record i is.
func (ns *nodes) name(i uint32) uint32 { return binary.LittleEndian.Uint32(ns.view(i)[12:]) }

// next returns the next sibling of record i, and the flags of record i.
func (ns *nodes) next(i uint32) (next uint32, flags uint16) {
	b := ns.view(i)
	return binary.LittleEndian.Uint32(b[20:]), binary.LittleEndian.Uint16(b[56:])
}

// inode returns the record with the metadata of record i, itself or the file that
// it is another name of: its number and its bytes, which may not be changed.
func (ns *nodes) inode(i uint32) (uint32, *[nodeLen]byte) {
	b := ns.view(i)
	if binary.LittleEndian.Uint16(b[56:])&flagLink != 0 {
		i = binary.LittleEndian.Uint32(b[24:])
		b = ns.view(i)
	}
	return i, b
}

// modeOf returns the mode of a record, and extraOf where its extra is.
func modeOf(b *[nodeLen]byte) uint16  { return binary.LittleEndian.Uint16(b[52:]) }
func extraOf(b *[nodeLen]byte) uint32 { return binary.LittleEndian.Uint32(b[44:]) }

// set replaces record i.
func (ns *nodes) set(i uint32, n *node) {
	b, le := (*[nodeLen]byte)(ns.edit(uint64(i)*nodeLen, nodeLen)), binary.LittleEndian
	le.PutUint64(b[0:], uint64(n.sec))
	le.PutUint32(b[8:], n.nsec)
	le.PutUint32(b[12:], n.name)
	le.PutUint32(b[16:], n.parent)
	le.PutUint32(b[20:], n.next)
	le.PutUint32(b[24:], n.first)
	le.PutUint32(b[28:], n.last)
	le.PutUint32(b[32:], n.key)
	le.PutUint32(b[36:], n.uid)
	le.PutUint32(b[40:], n.gid)
	le.PutUint32(b[44:], n.extra)
	le.PutUint32(b[48:], n.links)
	le.PutUint16(b[52:], n.mode)
	le.PutUint16(b[54:], n.source)
	le.PutUint16(b[56:], n.flags)
}
