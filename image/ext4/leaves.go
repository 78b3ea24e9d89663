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
	b     []byte
	last  []int    // where the last entry of each leaf is in b
	entry []uint32 // by place in the order of names: where the entry is in b, counted from 1, 0 for those of other leaves
}

// writeLeaves writes the entries of a directory as x.index has them.
func (x *writer) writeLeaves(ino uint32, n filetree.Node, blocks *blockCounter) error {
	w, seed := &x.leaves, x.inodeSeed(ino)
	w.entry = slices.Grow(w.entry[:0], len(x.index.keys))[:len(x.index.keys)]
	clear(w.entry)
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
	w.last = w.last[:0]
	for i := from; i < to; i++ {
		off, last := (i-from)*size, 0
		first, end := index.leaf(i)
		for e := first; e < end; e++ {
			w.entry[index.place(e)] = uint32(off) + 1
			last = off
			off += index.size(e)
		}
		w.last = append(w.last, last)
	}
}

// put writes the entry of a name, whose place in the order of names is given, if
// its leaf is one of the window.
func (w *leafWindow) put(place int, entry func() (ino uint32, typ uint8, name []byte)) {
	if off := w.entry[place]; off != 0 {
		ino, typ, name := entry()
		putDirent(w.b[off-1:], ino, typ, name)
		w.entry[place] = 0
	}
}

// fillLeaves writes all entries of a directory that belong into the window.
func (x *writer) fillLeaves(ino uint32, n filetree.Node) {
	place := 0
	for c := range n.Children() {
		x.leaves.put(place, func() (uint32, uint8, []byte) {
			x.index.name = c.AppendName(x.index.name[:0])
			return x.inode(c), dirType(c), x.index.name
		})
		place++
	}
	if x.makesLostFound(ino) {
		x.leaves.put(place, func() (uint32, uint8, []byte) { return inoLostFound, typeDir, []byte(lostFound) })
	}
}
