package ext4

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/drivebay/drivebay/image/filetree"
)

// Constants of a directory's index (fs/ext4/namei.c, struct dx_root, dx_node).
const (
	indexEntryLen = 8
	indexTail     = 8
	rootHead      = dotsLen + 8   // the dots and dx_root_info
	nodeHead      = direntHead    // a fake entry over the whole block
	leafFill      = 4             // of 5: room for names to come, as e2fsck -D leaves it
	lostFoundID   = ^uint32(0)    // the entry for a lost+found that the tree has not
	lostFound     = "lost+found"  //
	maxLevels     = 1             // below the root, without the feature large_dir
	dxInfoLen     = indexEntryLen // dx_root_info.info_length
)

// hashed is an entry of a directory, by the hash of its name.
type hashed struct {
	hash uint32
	id   uint32 // of the node, or lostFoundID
}

// dirIndex is a directory as it lies in hash order: leaves of entries, and what
// leads to them.
type dirIndex struct {
	entries []hashed
	leaves  []uint32 // the first entry of each
	nodes   int      // blocks between the root and the leaves
	perNode int
}

// blocks returns the length of the directory.
func (x *dirIndex) blocks() int { return 1 + x.nodes + len(x.leaves) }

// leafHash returns what the index says of leaf i: the hash that it begins with,
// marked where the leaf before it ends with the same.
func (x *dirIndex) leafHash(i int) uint32 {
	k := x.leaves[i]
	h := x.entries[k].hash
	if k > 0 && x.entries[k-1].hash == h {
		h |= 1
	}
	return h
}

// newDirIndex sorts a directory by hash and cuts it into leaves.
func (p *plan) newDirIndex(ino uint32, n filetree.Node) (*dirIndex, error) {
	x := &dirIndex{}
	var name []byte
	for c := range n.Children() {
		name = c.AppendName(name[:0])
		x.entries = append(x.entries, hashed{nameHash(p.dirSeed, name), uint32(c.ID())})
	}
	if _, ok := p.node(inoLostFound); ino == inoRoot && !ok {
		x.entries = append(x.entries, hashed{nameHash(p.dirSeed, []byte(lostFound)), lostFoundID})
	}
	slices.SortStableFunc(x.entries, func(a, b hashed) int { return cmp.Compare(a.hash, b.hash) })

	full := (int(p.blockSize) - dirTail) * leafFill / 5
	used := full
	for i, e := range x.entries {
		_, _, name = p.entry(e.id, name[:0])
		used += direntLen(len(name))
		if used > full {
			x.leaves = append(x.leaves, uint32(i))
			used = direntLen(len(name))
		}
	}
	x.perNode = (int(p.blockSize) - nodeHead - indexTail) / indexEntryLen
	perRoot := (int(p.blockSize) - rootHead - indexTail) / indexEntryLen
	if len(x.leaves) > perRoot {
		x.nodes = (len(x.leaves) + x.perNode - 1) / x.perNode
	}
	if x.nodes > perRoot {
		return nil, fileError(n, fmt.Errorf("%w: directory of %d entries needs %d blocks, its index leads to %d",
			ErrUnsupported, len(x.entries), len(x.leaves), perRoot*x.perNode))
	}
	return x, nil
}

// entry returns what a directory's entry says of a node, with the name appended
// to b.
func (p *plan) entry(id uint32, b []byte) (ino uint32, typ uint8, name []byte) {
	if id == lostFoundID {
		return inoLostFound, typeDir, append(b, lostFound...)
	}
	n := p.tree.Node(int(id))
	return p.inode(n), dirType(n), n.AppendName(b)
}

// writeIndexed writes a directory with an index: the root, the nodes below it,
// the leaves.
func (p *plan) writeIndexed(ino uint32, n filetree.Node, emit func(b []byte) error) error {
	x, err := p.newDirIndex(ino, n)
	if err != nil {
		return err
	}
	seed := p.inodeSeed(ino)
	buf := make([]byte, p.blockSize)
	p.putIndexRoot(buf, ino, x, seed)
	if err := emit(buf); err != nil {
		return err
	}
	for i := range x.nodes {
		clear(buf)
		binary.LittleEndian.PutUint16(buf[4:], uint16(p.blockSize))
		from := i * x.perNode
		to := min(from+x.perNode, len(x.leaves))
		putIndex(buf, nodeHead, to-from, seed, func(k int) (uint32, uint32) {
			return x.leafHash(from + k), uint32(1 + x.nodes + from + k)
		})
		if err := emit(buf); err != nil {
			return err
		}
	}
	var name []byte
	for i, from := range x.leaves {
		to := uint32(len(x.entries))
		if i+1 < len(x.leaves) {
			to = x.leaves[i+1]
		}
		clear(buf)
		d := dirBlock{b: buf}
		for _, e := range x.entries[from:to] {
			var child uint32
			var typ uint8
			child, typ, name = p.entry(e.id, name[:0])
			d.add(child, typ, name)
		}
		d.close(seed)
		if err := emit(buf); err != nil {
			return err
		}
	}
	return nil
}

// putIndexRoot fills the first block of an indexed directory, which a reader
// that knows no index takes for one with two entries.
func (p *plan) putIndexRoot(b []byte, ino uint32, x *dirIndex, seed uint32) {
	d := dirBlock{b: b}
	d.dots(ino, p.parent(ino))
	binary.LittleEndian.PutUint16(b[d.last+4:], uint16(len(b)-d.last))
	info := b[dotsLen:]
	info[4] = hashHalfMD4
	info[5] = dxInfoLen
	if x.nodes == 0 {
		putIndex(b, rootHead, len(x.leaves), seed, func(k int) (uint32, uint32) {
			return x.leafHash(k), uint32(1 + k)
		})
		return
	}
	info[6] = maxLevels
	putIndex(b, rootHead, x.nodes, seed, func(k int) (uint32, uint32) {
		return x.leafHash(k * x.perNode), uint32(1 + k)
	})
}

// putIndex writes n entries of an index from offset at on, and the checksum. The
// first entry's hash, below which nothing can be, makes room for the counts.
func putIndex(b []byte, at, n int, seed uint32, entry func(k int) (hash, block uint32)) {
	le := binary.LittleEndian
	limit := (len(b) - at - indexTail) / indexEntryLen
	for k := range n {
		hash, block := entry(k)
		le.PutUint32(b[at+k*indexEntryLen:], hash)
		le.PutUint32(b[at+k*indexEntryLen+4:], block)
	}
	le.PutUint16(b[at:], uint16(limit))
	le.PutUint16(b[at+2:], uint16(n))

	// The checksum covers the entries in use, and of the tail (struct dx_tail)
	// both fields, the checksum's own as zero.
	sum := crc32c(seed, b[:at+n*indexEntryLen])
	sum = crc32c(sum, make([]byte, indexTail))
	le.PutUint32(b[at+limit*indexEntryLen+4:], sum)
}
