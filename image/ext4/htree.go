package ext4

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/drivebay/drivebay/image/filetree"
)

// Constants of a directory's index (fs/ext4/namei.c, struct dx_root, dx_node).
const (
	indexEntryLen = 8
	indexTail     = 8
	indexInfoLen  = 8                      // of dx_root_info
	rootHead      = dotsLen + indexInfoLen // before the entries of the root
	nodeHead      = direntHead             // of a fake entry over the whole block
	maxLevels     = 1                      // below the root, without the feature large_dir
	leafFill      = 4                      // of 5: room for names to come, as e2fsck -D leaves it
)

// lostFound is the directory for what e2fsck finds, made where the tree has none.
// lostFoundID stands for its node then.
const (
	lostFound   = "lost+found"
	lostFoundID = ^uint32(0)
)

// dirIndex is a directory as it lies in hash order: leaves of entries, and what
// leads to them. It may be used for one directory after the other.
type dirIndex struct {
	keys    []uint64 // the entries: the hash, below it the place in the order of names
	lengths []uint8  // of the names, by place
	leaves  []uint32 // the first entry of each
	nodes   int      // blocks between the root and the leaves
	perNode int
	name    []byte
}

func (x *dirIndex) hash(entry uint32) uint32  { return uint32(x.keys[entry] >> 32) }
func (x *dirIndex) place(entry uint32) uint32 { return uint32(x.keys[entry]) }

// size returns the bytes that an entry takes in its leaf.
func (x *dirIndex) size(entry uint32) int { return direntLen(int(x.lengths[x.place(entry)])) }

// add enters the name that is in x.name.
func (x *dirIndex) add(seed [4]uint32) {
	x.keys = append(x.keys, uint64(nameHash(seed, x.name))<<32|uint64(len(x.lengths)))
	x.lengths = append(x.lengths, uint8(len(x.name)))
}

// blocks returns the length of the directory.
func (x *dirIndex) blocks() int { return 1 + x.nodes + len(x.leaves) }

// leaf returns the entries of leaf i: the first, and the one behind the last.
func (x *dirIndex) leaf(i int) (from, to uint32) {
	if i+1 < len(x.leaves) {
		return x.leaves[i], x.leaves[i+1]
	}
	return x.leaves[i], uint32(len(x.keys))
}

// leafHash returns what the index says of leaf i: the hash that it begins with,
// marked where the leaf before it ends with the same.
func (x *dirIndex) leafHash(i int) uint32 {
	k := x.leaves[i]
	h := x.hash(k)
	if k > 0 && x.hash(k-1) == h {
		h |= 1
	}
	return h
}

// indexDir sorts a directory of so many entries by hash and cuts it into leaves.
func (p *plan) indexDir(x *dirIndex, ino uint32, n filetree.Node, entries int) error {
	*x = dirIndex{keys: slices.Grow(x.keys[:0], entries), lengths: slices.Grow(x.lengths[:0], entries), leaves: x.leaves[:0], name: x.name}
	for c := range n.Children() {
		x.name = c.AppendName(x.name[:0])
		x.add(p.dirSeed)
	}
	if p.makesLostFound(ino) {
		x.name = append(x.name[:0], lostFound...)
		x.add(p.dirSeed)
	}
	slices.Sort(x.keys)

	full := (int(p.blockSize) - dirTail) * leafFill / 5
	used := full
	for i := range uint32(len(x.keys)) {
		size := x.size(i)
		used += size
		if used > full {
			x.leaves = append(x.leaves, i)
			used = size
		}
	}
	x.perNode = (int(p.blockSize) - nodeHead - indexTail) / indexEntryLen
	perRoot := (int(p.blockSize) - rootHead - indexTail) / indexEntryLen
	if len(x.leaves) > perRoot {
		x.nodes = (len(x.leaves) + x.perNode - 1) / x.perNode
	}
	if x.nodes > perRoot {
		return fileError(n, fmt.Errorf("%w: directory of %d entries needs %d blocks, its index leads to %d",
			ErrUnsupported, len(x.keys), len(x.leaves), perRoot*x.perNode))
	}
	return nil
}

// writeIndexed writes a directory with an index: the root, the nodes below it,
// the leaves.
func (x *writer) writeIndexed(ino uint32, n filetree.Node, blocks *blockCounter) error {
	index := &x.index
	if err := x.indexDir(index, ino, n, int(x.longDirs[ino].entries)); err != nil {
		return err
	}
	seed := x.inodeSeed(ino)
	clear(x.buf)
	x.putIndexRoot(x.buf, ino, index, seed)
	if err := x.writeBlock(blocks.next(), x.buf); err != nil {
		return err
	}
	for i := range index.nodes {
		clear(x.buf)
		index.putNode(x.buf, i, seed)
		if err := x.writeBlock(blocks.next(), x.buf); err != nil {
			return err
		}
	}
	return x.writeLeaves(ino, n, blocks)
}

// putNode fills node i between the root and the leaves.
func (x *dirIndex) putNode(b []byte, i int, seed uint32) {
	binary.LittleEndian.PutUint16(b[4:], uint16(len(b)))
	from := i * x.perNode
	to := min(from+x.perNode, len(x.leaves))
	putIndex(b, nodeHead, to-from, seed, func(k int) (uint32, uint32) {
		return x.leafHash(from + k), uint32(1 + x.nodes + from + k)
	})
}

// putIndexRoot fills the first block of an indexed directory, which a reader
// that knows no index takes for one with two entries.
func (p *plan) putIndexRoot(b []byte, ino uint32, x *dirIndex, seed uint32) {
	d := dirBlock{b: b}
	d.dots(ino, p.parent(ino))
	binary.LittleEndian.PutUint16(b[d.last+4:], uint16(len(b)-d.last))
	info := b[dotsLen:]
	info[4] = hashHalfMD4
	info[5] = indexInfoLen
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
