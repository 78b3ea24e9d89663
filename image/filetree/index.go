package filetree

import (
	"hash/maphash"
	"sync/atomic"
)

// index finds nodes by directory and name: a hash table with open addressing
// that holds nothing but node numbers. It is made by the first look-up, since a
// source that yields every name once, in order, needs none.
type index struct {
	made  atomic.Bool // by whichever goroutine looks up first
	slots []uint32    // node numbers; 0 is free: the root is in no directory
	used  int
	seed  maphash.Seed
}

// find returns the node called name in dir.
func (x *index) find(t *Tree, dir uint32, name string) (uint32, bool) {
	if !x.made.Load() {
		x.make(t)
	}
	for s := x.hash(dir, []byte(name)); ; s++ {
		i := x.slots[s%uint64(len(x.slots))]
		if i == 0 {
			return 0, false
		}
		if n := t.nodes.at(i); n.parent == dir && n.flags&flagDead == 0 && string(t.name(i)) == name {
			return i, true
		}
	}
}

// drop gives the memory back until the next look-up.
func (x *index) drop() {
	x.made.Store(false)
	x.slots, x.used = nil, 0
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
	s := x.hash(t.nodes.at(i).parent, t.name(i))
	for x.slots[s%uint64(len(x.slots))] != 0 {
		s++
	}
	x.slots[s%uint64(len(x.slots))] = i
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

func (x *index) rebuild(t *Tree) {
	x.slots, x.used, x.seed = make([]uint32, max(64, 2*t.nodes.len())), 0, maphash.MakeSeed()
	for i := 1; i < t.nodes.len(); i++ {
		x.enter(t, uint32(i))
	}
}

// hash is of this process only: it decides nothing that can be seen.
func (x *index) hash(dir uint32, name []byte) uint64 {
	return maphash.Bytes(x.seed, name) ^ uint64(dir)*0x9e3779b97f4a7c15
}
