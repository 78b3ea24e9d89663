package ext4

import "encoding/binary"

// Flags of a group (fs/ext4/ext4.h, EXT4_BG_*).
const (
	groupInodeUninit = 1 // no inode is in use: neither bitmap nor table are read
	groupBlockUninit = 2 // no block is in use but the group's own: the bitmap is not read
	groupTableZeroed = 4 // what is unused of the table is zero
)

// groupDesc is struct ext4_group_desc (fs/ext4/ext4.h).
type groupDesc struct {
	BlockBitmapLo     uint32
	InodeBitmapLo     uint32
	InodeTableLo      uint32
	FreeBlocksLo      uint16
	FreeInodesLo      uint16
	UsedDirsLo        uint16
	Flags             uint16
	ExcludeBitmapLo   uint32
	BlockBitmapCsumLo uint16
	InodeBitmapCsumLo uint16
	ItableUnusedLo    uint16
	Checksum          uint16
	BlockBitmapHi     uint32
	InodeBitmapHi     uint32
	InodeTableHi      uint32
	FreeBlocksHi      uint16
	FreeInodesHi      uint16
	UsedDirsHi        uint16
	ItableUnusedHi    uint16
	ExcludeBitmapHi   uint32
	BlockBitmapCsumHi uint16
	InodeBitmapCsumHi uint16
	Reserved          uint32
}

const checksumOffset = 30 // of groupDesc.Checksum

// usedInodes returns how many inodes of a group are in use: the first ones, as
// numbers are given without a gap.
func (p *plan) usedInodes(g int64) int64 {
	l := p.layout
	return min(max(int64(p.lastInode())-g*l.inodesPerGroup, 0), l.inodesPerGroup)
}

// freeIn returns how many blocks of a group are free.
func (p *plan) freeIn(g int64) int64 {
	l := p.layout
	start, end := max(l.groupStart(g), p.dataEnd), l.groupEnd(g)
	if start >= end {
		return 0
	}
	n := end - start
	for _, m := range l.metaIn(run{start, end}) {
		n -= min(m.end, end) - max(m.start, start)
	}
	return n
}

// isBlockUninit reports whether the kernel can work out a group's block bitmap
// for itself: it knows of the copy of the superblock, not of other groups'
// tables. The last group, which may be short, is as mke2fs has it.
func (p *plan) isBlockUninit(g int64) bool {
	l := p.layout
	if g == l.groups-1 || p.dataEnd > l.groupStart(g) {
		return false
	}
	for _, m := range l.metaIn(run{l.groupStart(g), l.groupEnd(g)}) {
		if m.kind != metaSuper {
			return false
		}
	}
	return true
}

// putBlockBitmap fills the block bitmap of a group. Bits beyond the file
// system's end are set.
func (p *plan) putBlockBitmap(b []byte, g int64) {
	clear(b)
	l := p.layout
	start, end := l.groupStart(g), l.groupEnd(g)
	if p.dataEnd > start {
		setBits(b, 0, min(p.dataEnd, end)-start)
	}
	for _, m := range l.metaIn(run{start, end}) {
		setBits(b, max(m.start, start)-start, min(m.end, end)-start)
	}
	setBits(b, end-start, l.perGroup)
}

// putInodeBitmap fills the inode bitmap of a group.
func (p *plan) putInodeBitmap(b []byte, g int64) {
	clear(b)
	setBits(b, 0, p.usedInodes(g))
	setBits(b, p.layout.inodesPerGroup, int64(len(b))*8)
}

// setBits sets the bits from..to-1.
func setBits(b []byte, from, to int64) {
	for ; from < to && from%8 != 0; from++ {
		b[from/8] |= 1 << (from % 8)
	}
	for ; from+8 <= to; from += 8 {
		b[from/8] = 0xff
	}
	for ; from < to; from++ {
		b[from/8] |= 1 << (from % 8)
	}
}

// descriptors returns the group descriptors, as they follow each copy of the
// superblock.
func (p *plan) descriptors() []byte {
	l := p.layout
	table := make([]byte, l.descBlocks*l.blockSize)
	bitmap := make([]byte, l.blockSize)
	for g := range l.groups {
		p.putDescriptor(table[g*descSize:][:descSize], g, bitmap)
	}
	return table
}

func (p *plan) putDescriptor(b []byte, g int64, bitmap []byte) {
	l := p.layout
	t := l.group[g]
	used, free := p.usedInodes(g), p.freeIn(g)
	unused := l.inodesPerGroup - used
	d := groupDesc{
		BlockBitmapLo:  uint32(t.blockBitmap),
		BlockBitmapHi:  uint32(t.blockBitmap >> 32),
		InodeBitmapLo:  uint32(t.inodeBitmap),
		InodeBitmapHi:  uint32(t.inodeBitmap >> 32),
		InodeTableLo:   uint32(t.inodeTable),
		InodeTableHi:   uint32(t.inodeTable >> 32),
		FreeBlocksLo:   uint16(free),
		FreeBlocksHi:   uint16(free >> 16),
		FreeInodesLo:   uint16(unused),
		FreeInodesHi:   uint16(unused >> 16),
		UsedDirsLo:     uint16(p.dirsIn[g]),
		UsedDirsHi:     uint16(p.dirsIn[g] >> 16),
		ItableUnusedLo: uint16(unused),
		ItableUnusedHi: uint16(unused >> 16),
		Flags:          groupTableZeroed,
	}
	if p.isBlockUninit(g) {
		d.Flags |= groupBlockUninit
	} else {
		p.putBlockBitmap(bitmap, g)
		sum := crc32c(p.seed, bitmap[:l.perGroup/8])
		d.BlockBitmapCsumLo, d.BlockBitmapCsumHi = uint16(sum), uint16(sum>>16)
	}
	if used == 0 {
		d.Flags |= groupInodeUninit
	} else {
		p.putInodeBitmap(bitmap, g)
		sum := crc32c(p.seed, bitmap[:l.inodesPerGroup/8])
		d.InodeBitmapCsumLo, d.InodeBitmapCsumHi = uint16(sum), uint16(sum>>16)
	}
	encode(b, &d)
	sum := crc32c(crc32cU32(p.seed, uint32(g)), b)
	binary.LittleEndian.PutUint16(b[checksumOffset:], uint16(sum))
}
