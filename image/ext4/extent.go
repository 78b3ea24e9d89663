package ext4

import "encoding/binary"

// Constants of the extent tree (fs/ext4/ext4_extents.h).
const (
	extentMagic    = 0xf30a
	extentLen      = 12    // bytes of a header, an extent or an index
	maxExtent      = 32768 // blocks in an extent that is initialised
	extentsInInode = 4
)

// extent is a row of a file's blocks that is one row on the volume too.
type extent struct {
	logical uint32 // the first block in the file
	length  uint32 // blocks
	start   int64  // the first block on the volume
}

// join makes e longer by an extent that follows it in both rows.
func (e *extent) join(f extent) bool {
	if e.logical+e.length != f.logical || e.start+int64(e.length) != f.start || e.length+f.length > maxExtent {
		return false
	}
	e.length += f.length
	return true
}

// extentsPerBlock is how many extents or indexes a block of the tree holds.
func extentsPerBlock(blockSize int64) int { return int(blockSize-extentLen) / extentLen }

// treeBlocks returns how many blocks the tree of n extents has.
func treeBlocks(n, perBlock int) int {
	total := 0
	for n > extentsInInode {
		n = (n + perBlock - 1) / perBlock
		total += n
	}
	return total
}

// extentTree gives the nodes of an inode's extent tree, all of them full but for
// the last of each level.
type extentTree struct {
	extents  []extent
	blocks   []int64 // leaves first
	perBlock int
}

// level returns how many nodes level l has, and which of t.blocks is its first.
// The leaves are level 0. One level above the last is the inode's.
func (t *extentTree) level(l int) (nodes, first int) {
	nodes = (len(t.extents) + t.perBlock - 1) / t.perBlock
	for range l {
		first += nodes
		nodes = (nodes + t.perBlock - 1) / t.perBlock
	}
	return nodes, first
}

// depth returns how many levels there are in blocks.
func (t *extentTree) depth() int {
	d := 0
	for n := len(t.extents); n > extentsInInode; d++ {
		n = (n + t.perBlock - 1) / t.perBlock
	}
	return d
}

// putRoot writes the node that is in the inode's i_block.
func (t *extentTree) putRoot(b []byte) {
	t.put(b[:extentLen*(1+extentsInInode)], t.depth(), 0, extentsInInode)
}

// putBlock writes block i of t.blocks with its checksum.
func (t *extentTree) putBlock(b []byte, i int, seed uint32) {
	l := 0
	for {
		nodes, first := t.level(l)
		if i < first+nodes {
			t.put(b, l, i-first, t.perBlock)
			break
		}
		l++
	}
	tail := extentLen * (1 + t.perBlock)
	binary.LittleEndian.PutUint32(b[tail:], crc32c(seed, b[:tail]))
}

// put writes node j of level l, which holds at most room entries.
func (t *extentTree) put(b []byte, l, j, room int) {
	clear(b)
	le := binary.LittleEndian
	total := len(t.extents)
	first := 0
	span := 1 // extents below one entry
	if l > 0 {
		total, first = t.level(l - 1)
		for range l {
			span *= t.perBlock
		}
	}
	from := j * room
	to := min(from+room, total)
	le.PutUint16(b[0:], extentMagic)
	le.PutUint16(b[2:], uint16(to-from))
	le.PutUint16(b[4:], uint16(room))
	le.PutUint16(b[6:], uint16(l))
	for i := from; i < to; i++ {
		b = b[extentLen:]
		e := t.extents[i*span]
		le.PutUint32(b[0:], e.logical)
		if l == 0 {
			le.PutUint16(b[4:], uint16(e.length))
			le.PutUint16(b[6:], uint16(e.start>>32))
			le.PutUint32(b[8:], uint32(e.start))
			continue
		}
		block := t.blocks[first+i]
		le.PutUint32(b[4:], uint32(block))
		le.PutUint16(b[8:], uint16(block>>32))
	}
}
