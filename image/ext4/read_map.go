package ext4

import (
	"fmt"
	"math"
)

// maxDepth is how many levels an extent tree may have below the inode: five hold
// 2^32 blocks, even of 1 KiB (fs/ext4/ext4_extents.h, EXT4_MAX_EXTENT_DEPTH).
const maxDepth = 5

// Entries of i_block in a file without extents (fs/ext4/ext4.h, EXT4_NDIR_BLOCKS).
const (
	directBlocks = 12
	mapLevels    = 3 // single, double and triple indirect
)

// extents returns where the first size bytes of a file are, in order; what is
// missing is a hole, as is what has been allocated and never written.
func (v *readVolume) extents(i *readInode, size int64) ([]extent, error) {
	m := mapReader{v: v, inode: i, blocks: ceilDiv(size, v.blockSize)}
	var err error
	if i.Flags&flagExtents != 0 {
		err = m.extentNode(i.Block[:], -1, extentRange{0, math.MaxUint32 + 1})
	} else {
		err = m.blockMap()
	}
	if err != nil {
		return nil, fmt.Errorf("inode %d: %w", i.ino, err)
	}
	return m.found, nil
}

// mapReader reads where the blocks of a file are.
type mapReader struct {
	v      *readVolume
	inode  *readInode
	blocks int64 // of the file that are asked for
	found  []extent
	seen   map[int64]bool // indirect blocks
}

// add appends blocks of the file that are in a row on the volume too.
func (m *mapReader) add(logical, length, start int64) error {
	v := m.v
	if start < v.first || start > v.blocks-length {
		return damaged("%d blocks of the file from %d on are at block %d: want %d to %d", length, logical, start, v.first, v.blocks-length)
	}
	if length = min(length, m.blocks-logical); length <= 0 {
		return nil
	}
	e := extent{uint32(logical), uint32(length), start}
	if last := len(m.found) - 1; last >= 0 && m.found[last].join(e) {
		return nil
	}
	m.found = append(m.found, e)
	return nil
}

// extentRange is the blocks of a file, from first up to end, that a node of the
// extent tree may have.
type extentRange struct{ first, end int64 }

// extentNode reads a node of the extent tree that is to be of a depth, -1 for
// whichever it says itself. Every entry has to be inside its node's range and
// behind the one before it: so no node is read twice, whatever the volume says.
func (m *mapReader) extentNode(b []byte, depth int, in extentRange) error {
	magic, n, room := le.Uint16(b[0:]), int(le.Uint16(b[2:])), int(le.Uint16(b[4:]))
	own := int(le.Uint16(b[6:]))
	switch fits := len(b)/extentLen - 1; {
	case magic != extentMagic:
		return damaged("node of the extent tree has the magic number %#04x: want %#04x", magic, extentMagic)
	case room > fits || n > room:
		return damaged("node of the extent tree has %d of %d entries: want at most %d", n, room, fits)
	case depth < 0 && own > maxDepth:
		return damaged("extent tree has the depth %d: want at most %d", own, maxDepth)
	case depth >= 0 && own != depth:
		return damaged("node of the extent tree has the depth %d: want %d", own, depth)
	}
	for k := range n {
		e := b[extentLen*(1+k):]
		first, end := int64(le.Uint32(e)), in.end
		if k+1 < n {
			end = int64(le.Uint32(e[extentLen:]))
		}
		if first < in.first || end <= first || end > in.end {
			return damaged("entry %d of a node of the extent tree is for blocks %d to %d: want some of %d to %d, in order", k, first, end-1, in.first, in.end-1)
		}
		if first >= m.blocks {
			return nil
		}
		if err := m.extentEntry(e, own, extentRange{first, end}); err != nil {
			return err
		}
		in.first = end
	}
	return nil
}

// extentEntry reads an entry of a node of the extent tree, which is an extent or
// leads to a node below.
func (m *mapReader) extentEntry(e []byte, depth int, in extentRange) error {
	if depth > 0 {
		block := int64(le.Uint32(e[4:])) | int64(le.Uint16(e[8:]))<<32
		b, err := m.v.extentBlock(m.inode, block)
		if err != nil {
			return err
		}
		return m.extentNode(b, depth-1, in)
	}
	length, start := int64(le.Uint16(e[4:])), int64(le.Uint16(e[6:]))<<32|int64(le.Uint32(e[8:]))
	written := length <= maxExtent
	if !written {
		length -= maxExtent
	}
	if length == 0 || length > in.end-in.first {
		return damaged("extent of block %d has %d blocks: want 1 to %d", in.first, length, in.end-in.first)
	}
	if !written {
		return nil
	}
	return m.add(in.first, length, start)
}

// extentBlock returns a node of the extent tree that has a block of its own.
func (v *readVolume) extentBlock(i *readInode, block int64) ([]byte, error) {
	b, err := v.block(block, "a node of the extent tree")
	if err != nil || !v.checksums() {
		return b, err
	}
	tail := extentLen * (1 + int64(le.Uint16(b[4:])))
	if tail > v.blockSize-4 {
		return nil, damaged("node of the extent tree at block %d has room for %d entries, more than a block", block, le.Uint16(b[4:]))
	}
	return b, checkSum(le.Uint32(b[tail:]), crc32c(i.seed, b[:tail]), "the node of the extent tree at block %d", block)
}

// blockMap reads the map of a file without extents.
func (m *mapReader) blockMap() error {
	m.seen = map[int64]bool{}
	next := int64(0)
	for k := range directBlocks + mapLevels {
		block := int64(le.Uint32(m.inode.Block[4*k:]))
		level := max(0, k-directBlocks+1)
		if err := m.mapEntry(block, level, next); err != nil {
			return err
		}
		next += m.span(level)
	}
	return nil
}

// span returns how many blocks of the file an entry of a level maps.
func (m *mapReader) span(level int) int64 { return 1 << (level * (m.v.blockBits - 2)) }

// mapEntry reads an entry of a map: a block of the file at level 0, else one that
// maps more of them.
func (m *mapReader) mapEntry(block int64, level int, logical int64) error {
	switch {
	case block == 0 || logical >= m.blocks:
		return nil
	case level == 0:
		return m.add(logical, 1, block)
	case m.seen[block]:
		return damaged("indirect block %d is in the file twice", block)
	}
	m.seen[block] = true
	b, err := m.v.block(block, "an indirect block")
	if err != nil {
		return err
	}
	for k := range m.v.blockSize / 4 {
		if err := m.mapEntry(int64(le.Uint32(b[4*k:])), level-1, logical); err != nil {
			return err
		}
		logical += m.span(level - 1)
	}
	return nil
}
