package ext4

import (
	"slices"

	"github.com/drivebay/drivebay/image/filetree"
)

// leavesAtOnce is how many leaves of an index are filled in one pass over the
// directory: 2 MiB with blocks of 4 KiB. Files come in the order of their names
// and lie in that of their hashes: to look each of them up where it lies would be
// slow, since a large tree is not all in memory.
const leavesAtOnce = 512

// leafWindow is some leaves that follow each other.
type leafWindow struct {
	b       []byte
	last    []int    // where the last entry of each leaf is in b
	entries []uint64 // in the order of names: the place in it, below that where the entry is in b
	filled  int      // entries
}

// writeLeaves writes the entries of a directory as x.index has them.
func (x *writer) writeLeaves(ino uint32, n filetree.Node, blocks *blockCounter) error {
	w, seed := &x.leaves, x.inodeSeed(ino)
	size := int(x.blockSize)
	for from := 0; from < len(x.index.leaves); from += leavesAtOnce {
		w.open(&x.index, from, min(from+leavesAtOnce, len(x.index.leaves)), size)
		x.fillLeaves(ino, n)
		for i, last := range w.last {
			d := dirBlock{b: w.b[i*size:][:size], last: last - i*size}
			d.close(seed)
			if err := x.writeBlock(blocks.next(), d.b); err != nil {
				return err
			}
		}
	}
	return nil
}

// open gives the entries of the leaves from one to another their places.
func (w *leafWindow) open(index *dirIndex, from, to, size int) {
	w.b = slices.Grow(w.b[:0], (to-from)*size)[:(to-from)*size]
	clear(w.b)
	w.last, w.entries, w.filled = w.last[:0], w.entries[:0], 0
	for i := from; i < to; i++ {
		off, last := (i-from)*size, 0
		first, end := index.leaf(i)
		for e := first; e < end; e++ {
			w.entries = append(w.entries, uint64(index.place(e))<<32|uint64(off))
			last = off
			off += index.size(e)
		}
		w.last = append(w.last, last)
	}
	slices.Sort(w.entries)
}

// next returns where the entry of a name is in b, whose place in the order of names
// is given, if its leaf is one of the window. Places have to rise.
func (w *leafWindow) next(place int) ([]byte, bool) {
	if w.filled == len(w.entries) || w.entries[w.filled]>>32 != uint64(place) {
		return nil, false
	}
	off := uint32(w.entries[w.filled])
	w.filled++
	return w.b[off:], true
}

// fillLeaves writes all entries of a directory that belong into the window.
func (x *writer) fillLeaves(ino uint32, n filetree.Node) {
	place := 0
	for c := range n.Children() {
		if b, ok := x.leaves.next(place); ok {
			x.index.name = c.AppendName(x.index.name[:0])
			putDirent(b, x.inode(c), dirType(c), x.index.name)
		}
		place++
	}
	if b, ok := x.leaves.next(place); ok && x.makesLostFound(ino) {
		putDirent(b, inoLostFound, typeDir, []byte(lostFound))
	}
}
