package filetree

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// extra is what few nodes have.
type extra struct {
	target         string // of a symbolic link
	xattrs         []Xattr
	data           []Range   // not nil: the data of a sparse file
	access, change time.Time // zero where they are the time of modification
}

// noExtra is never written to.
var noExtra extra

// isZero reports whether there is nothing.
func (x *extra) isZero() bool {
	return x.target == "" && x.xattrs == nil && x.data == nil && x.access.IsZero() && x.change.IsZero()
}

// newExtra returns the part of e that few entries have.
func newExtra(e *Entry) extra {
	x := extra{target: e.Target, data: e.Data, access: e.AccessTime, change: e.ChangeTime}
	if len(e.Xattrs) > 0 {
		x.xattrs = slices.SortedFunc(slices.Values(e.Xattrs), func(a, b Xattr) int { return strings.Compare(a.Name, b.Name) })
	}
	return x
}

// extras holds the extras of a tree, each with its length before it. Files that
// have the same share one, as far as they lie together: on some systems each file
// has a security label, of which there are few.
type extras struct {
	pages
	buf    []byte
	shared map[string]uint32
	last   atomic.Pointer[decodedExtra]
}

// decodedExtra is the extra at a place.
type decodedExtra struct {
	at uint32
	extra
}

const (
	// extraUnit is what places of extras count in, in bytes.
	extraUnit = 8
	// maxShared is how many extras are remembered to be shared, and
	// maxSharedLen how long they may be in bytes.
	maxShared    = 1 << 10
	maxSharedLen = 1 << 10
)

// add returns where x is, 0 for none.
func (es *extras) add(x *extra) (uint32, error) {
	if x.isZero() {
		return 0, nil
	}
	b := x.append(es.buf[:0])
	es.buf = b
	if at, ok := es.shared[string(b)]; ok {
		return at, nil
	}
	if es.size == 0 {
		es.grow(extraUnit) // place 0 is none
	}
	if es.size/extraUnit > math.MaxUint32-1 {
		return 0, fmt.Errorf("more than %d GiB of extended attributes and other metadata in one tree", extraUnit<<2)
	}
	at := uint32(es.size / extraUnit)
	var length [binary.MaxVarintLen64]byte
	es.append(length[:binary.PutUvarint(length[:], uint64(len(b)))])
	es.append(b)
	es.grow(int(-es.size % extraUnit))
	if len(b) > maxSharedLen {
		es.buf = nil // it may be large, and is rare
		return at, nil
	}
	if len(es.shared) == maxShared || es.shared == nil {
		es.shared = make(map[string]uint32)
	}
	es.shared[string(b)] = at
	return at, nil
}

// at returns the extra at a place that add has returned. It is shared and may not
// be changed.
func (es *extras) at(at uint32) *extra {
	if at == 0 {
		return &noExtra
	}
	if d := es.last.Load(); d != nil && d.at == at {
		return &d.extra // a file is asked for one thing after the other
	}
	off := uint64(at) * extraUnit
	length, k := binary.Uvarint(es.pages.at(off, extraUnit)) // a unit is in one page
	b := make([]byte, length)
	es.read(b, off+uint64(k))
	d := &decodedExtra{at: at}
	d.decode(b)
	es.last.Store(d)
	return &d.extra
}
