package filetree

import (
	"hash/maphash"
	"sync/atomic"
)

// index finds nodes by directory and name: a hash table with open addressing
// that holds node numbers, and of each name's hash a byte, so that few records are
// looked at in vain. It is made by the first look-up, since a source that yields
// every name once, in order, needs none.
type index struct {
	made  atomic.Bool // by whichever goroutine looks up first
	slots []uint32    // node numbers; 0 is free: the root is in no directory
	tags  []uint8     // of the hashes
	used  int
	seed  maphash.Seed
}

// find returns the node called name in dir.
func (x *index) find(t *Tree, dir uint32, name string) (uint32, bool) {
	if !x.made.Load() {
		x.make(t)
	}
	hash := x.hash(dir, []byte(name))
	for s := x.slot(hash); x.slots[s] != 0; s = x.slot(s + 1) {
		if x.tags[s] != tag(hash) {
			continue
		}
		i := x.slots[s]
		if n := t.nodes.at(i); n.parent == dir && n.flags&flagDead == 0 && string(t.names.at(n.name)) == name {
			return i, true
		}
	}
	return 0, false
}

// drop gives the memory back until the next look-up.
func (x *index) drop() {
	x.made.Store(false)
	x.slots, x.tags, x.used = nil, nil, 0
}

// added enters a node that has been appended to the tree.
func (x *index) added(t *Tree, i uint32) {
	if !x.made.Load() {
		return
	}
	if x.used*4 >= len(x.slots)*3 {
		x.rebuild(t)
		return
	}
	x.enter(t, i)
}

func (x *index) enter(t *Tree, i uint32) {
	n := t.nodes.at(i)
	hash := x.hash(n.parent, t.names.at(n.name))
	s := x.slot(hash)
	for x.slots[s] != 0 {
		s = x.slot(s + 1)
	}
	x.slots[s], x.tags[s] = i, tag(hash)
	x.used++
}

// make makes the index once, for many goroutines that may only read the tree.
func (x *index) make(t *Tree) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !x.made.Load() {
		x.rebuild(t)
		x.made.Store(true)
	}
}

// rebuild enters all nodes into a table with room for half as many again.
func (x *index) rebuild(t *Tree) {
	x.slots, x.tags = nil, nil // before others take their place
	n := max(64, 2*t.nodes.len())
	x.slots, x.tags, x.used, x.seed = make([]uint32, n), make([]uint8, n), 0, maphash.MakeSeed()
	for i := 1; i < t.nodes.len(); i++ {
		x.enter(t, uint32(i))
	}
}

// hash is of this process only: it decides nothing that can be seen.
func (x *index) hash(dir uint32, name []byte) uint64 {
	return maphash.Bytes(x.seed, name) ^ uint64(dir)*0x9e3779b97f4a7c15
}

// slot returns the slot that a hash leads to, or that follows another.
func (x *index) slot(hash uint64) uint64 { return hash % uint64(len(x.slots)) }

// tag returns the bits of a hash that slot makes the least of.
func tag(hash uint64) uint8 { return uint8(hash >> 56) }
