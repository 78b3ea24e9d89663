package erofs

import (
	"hash/crc32"
	"math/bits"

	"github.com/drivebay/drivebay/image/filetree"
)

// putInode writes an inode, and what is behind it but for a tail. Its content begins
// at block start.
func (p *plan) putInode(b []byte, number int, n filetree.Node, s *shape, start int64) {
	i := inode{
		layout:  s.layout,
		mode:    n.UnixMode(),
		links:   uint32(s.links),
		size:    uint64(s.size),
		number:  uint32(number) + 1,
		uid:     n.UID(),
		gid:     n.GID(),
		data:    inodeData(n, s, start),
		modTime: uint64(n.ModTime().Unix()),
		modNsec: uint32(n.ModTime().Nanosecond()),
	}
	if len(s.xattrs) > 0 {
		i.xattrCount = uint16((len(s.xattrs)-xattrHeaderLen)/4 + 1)
	}
	if s.extended {
		i.putExtended(b)
	} else {
		i.putCompact(b)
	}
	copy(b[s.inodeLen():], s.xattrs)
	if s.layout == layoutChunks {
		p.putChunks(b[s.headLen():], n, s.chunks, start)
	}
}

// inodeData returns what an inode says of its content, which begins at block start.
func inodeData(n filetree.Node, s *shape, start int64) uint32 {
	switch n.UnixMode() & filetree.ModeType {
	case filetree.ModeChar, filetree.ModeBlock:
		return deviceNumber(n.Device())
	case filetree.ModeFIFO, filetree.ModeSocket:
		return 0
	}
	switch {
	case s.twin != nil:
		return uint32(s.twin.start)
	case s.layout == layoutChunks:
		return uint32(s.chunks.bits)
	case s.blocks > 0:
		return uint32(start)
	}
	return nullBlock
}

// deviceNumber is new_encode_dev of include/linux/kdev_t.h.
func deviceNumber(d filetree.Device) uint32 {
	return d.Minor&0xff | d.Major<<8 | d.Minor&^0xff<<12
}

// putSuperblock writes the superblock into the first group's metadata, all else of
// which has to be there: the checksum is of the rest of the superblock's block.
func (p *plan) putSuperblock(meta []byte) {
	s := superblock{
		Magic:         magic,
		Compat:        compatChecksum | compatModTime,
		BlockBits:     uint8(bits.TrailingZeros64(uint64(p.blockSize))),
		RootNID:       uint16(p.nid(p.tree.Root())),
		Inodes:        uint64(len(p.nodeOf)),
		BuildTime:     uint64(p.time.Unix()),
		BuildTimeNsec: uint32(p.time.Nanosecond()),
		Blocks:        uint32(p.blocks),
		UUID:          p.uuid,
	}
	copy(s.Label[:], p.label)
	if p.sharing.size > 0 {
		s.XattrBlock = uint32(p.groups[0].blocks)
	}
	if p.chunked {
		s.Incompat |= incompatChunked
	}
	s.put(meta[superOffset:])
	end := (superOffset/p.blockSize + 1) * p.blockSize
	le.PutUint32(meta[superOffset+4:], crc32c(meta[superOffset:end]))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c is the kernel's function of this name from ~0 on, which does not invert its
// result (lib/crc/crc32.c).
func crc32c(b []byte) uint32 { return ^crc32.Update(0, castagnoli, b) }
