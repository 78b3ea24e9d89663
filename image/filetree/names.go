package filetree

import (
	"fmt"
	"math"
)

// names holds the names of all nodes, each as a length byte and its bytes.
type names struct{ pages }

// add appends a name of at most 255 bytes and returns where it is.
func (ns *names) add(name string) (uint32, error) {
	if ns.size > math.MaxUint32-2*pageSize {
		return 0, fmt.Errorf("more than %d GiB of names in one tree", 4)
	}
	off := ns.growWithin(1 + len(name))
	b := ns.edit(off, 1+len(name))
	b[0] = byte(len(name))
	copy(b[1:], name)
	return uint32(off), nil
}

// at returns the name at a place that add has returned.
func (ns *names) at(at uint32) []byte {
	b := ns.pages.at(uint64(at), 1+MaxName)
	return b[1 : 1+int(b[0])]
}
