package filetree

import "time"

// node is the record of one name, of 40 bytes. Zero as an index means "none": the
// root, node 0, is nobody's child, sibling or link target.
//
// What first and last are depends on the type of file:
//   - a directory's first and last child
//   - a regular file's size, first the upper half
//   - a symbolic link's place in Tree.targets, in first
//   - a device's major and minor number
//   - another name's node with the metadata, in first
type node struct {
	name   uint32 // where in names
	parent uint32
	next   uint32 // the next sibling
	first  uint32
	last   uint32
	key    uint32 // by which the source knows a regular file
	sec    uint32 // the time's seconds, lower half
	nsec   uint32 // its nanoseconds, and in the upper two bits more seconds
	mode   uint16
	owner  uint16
	source uint16
	flags  uint16
}

// Flags of a node.
const (
	flagLink     = 1 << iota // another name of node.first
	flagExtra                // has an entry in Tree.extras
	flagDead                 // not in the tree any more, with all below it
	flagImplied              // a directory that nobody has named but for what is in it
	flagUnsorted             // a directory of which the children are not in order
	flagTime                 // its time is in the extra
)

// Times are held as ext4 holds them: 34 bits of seconds, from 1901 to 2446.
const (
	minTime  = -1 << 31
	maxTime  = minTime + 1<<34 - 1
	nsecBits = 30
)

// setModTime sets the time in the record, or, where it is beyond what most file
// systems can hold, in the extra that the node is going to have.
func (n *node) setModTime(t time.Time, x *extra) {
	sec, nsec := int64(0), uint32(0)
	if !t.IsZero() {
		sec, nsec = t.Unix(), uint32(t.Nanosecond())
	}
	n.flags &^= flagTime
	if sec < minTime || sec > maxTime {
		n.flags |= flagTime
		if x.times == nil {
			x.times = &times{}
		}
		x.times.mod = t
		return
	}
	since := uint64(sec - minTime)
	n.sec, n.nsec = uint32(since), nsec|uint32(since>>32)<<nsecBits
}

// modTime returns the time in the record.
func (n *node) modTime() time.Time {
	since := int64(n.sec) | int64(n.nsec>>nsecBits)<<32
	return time.Unix(since+minTime, int64(n.nsec&(1<<nsecBits-1))).UTC()
}

func (n *node) setSize(size int64) { n.first, n.last = uint32(size>>32), uint32(size) }
func (n *node) size() int64        { return int64(n.first)<<32 | int64(n.last) }

// extra is what few nodes have.
type extra struct {
	xattrs []Xattr
	data   []Range // not nil: the data of a sparse file
	times  *times
	links  uint32 // names beyond the first
}

// times are those that are not in the record. They are shared and not changed.
type times struct{ mod, access, change time.Time }

// any reports whether there is more than names.
func (x *extra) any() bool { return x.xattrs != nil || x.data != nil || x.times != nil }

// extra returns the extra of node i, which it makes where there is none.
func (t *Tree) extra(i uint32) *extra {
	n := t.nodes.at(i)
	if n.flags&flagExtra == 0 {
		n.flags |= flagExtra
		t.extras[i] = &extra{}
	}
	return t.extras[i]
}

// setExtra gives node i another extra, but for the number of its names.
func (t *Tree) setExtra(i uint32, x extra) {
	if !x.any() && t.nodes.at(i).flags&flagExtra == 0 {
		return
	}
	old := t.extra(i)
	x.links = old.links
	*old = x
}
