package erofs

import "encoding/binary"

// The structures of the format, little-endian and without padding but where it is
// given (fs/erofs/erofs_fs.h).

const (
	magic       = 0xe0f5e1e2
	superOffset = 1024 // of the superblock, whatever the block size
	superLen    = 128
	maxLabel    = 15 // and a NUL, without which Linux before 6.0 does not mount

	slotLen     = 32 // a nid counts these
	compactLen  = 32
	extendedLen = 64
	direntLen   = 12 // without the name

	xattrHeaderLen = 12
	xattrEntryLen  = 4 // without the name and the value

	chunkEntryLen = 4
	nullBlock     = 1<<32 - 1 // no block: a hole
)

// Features.
const (
	compatChecksum  = 1 << 0
	compatModTime   = 1 << 1 // extended inodes have the time of modification
	incompatChunked = 1 << 2
)

// Layouts of an inode's content.
const (
	layoutPlain  = 0 // whole blocks
	layoutInline = 2 // whole blocks, and the rest behind the inode
	layoutChunks = 4 // a table of chunks behind the inode
)

// superblock is erofs_super_block up to the features. What follows them is for
// compression and for other devices, and zero.
type superblock struct {
	Magic, Checksum, Compat uint32
	BlockBits, ExtraSlots   uint8
	RootNID                 uint16
	Inodes, BuildTime       uint64
	BuildTimeNsec           uint32
	Blocks                  uint32
	MetaBlock, XattrBlock   uint32
	UUID, Label             [16]byte
	Incompat                uint32
}

// put writes the superblock to b.
func (s *superblock) put(b []byte) {
	if _, err := binary.Encode(b, binary.LittleEndian, s); err != nil {
		panic(err) // there is no room for it in b
	}
}

// inode is what the two forms of an inode hold.
type inode struct {
	layout     uint16
	xattrCount uint16 // 0, or 1 and one for each 4 bytes behind the header
	mode       uint16
	links      uint32
	size       uint64
	data       uint32 // a block, a device or the format of the chunks
	number     uint32
	uid, gid   uint32
	modTime    uint64
	modNsec    uint32
}

// putCompact writes an inode as erofs_inode_compact, which has the superblock's
// time.
func (i *inode) putCompact(b []byte) {
	le := binary.LittleEndian
	le.PutUint16(b[0:], i.layout<<1)
	le.PutUint16(b[2:], i.xattrCount)
	le.PutUint16(b[4:], i.mode)
	le.PutUint16(b[6:], uint16(i.links))
	le.PutUint32(b[8:], uint32(i.size))
	le.PutUint32(b[16:], i.data)
	le.PutUint32(b[20:], i.number)
	le.PutUint16(b[24:], uint16(i.uid))
	le.PutUint16(b[26:], uint16(i.gid))
}

// putExtended writes an inode as erofs_inode_extended.
func (i *inode) putExtended(b []byte) {
	le := binary.LittleEndian
	le.PutUint16(b[0:], i.layout<<1|1)
	le.PutUint16(b[2:], i.xattrCount)
	le.PutUint16(b[4:], i.mode)
	le.PutUint64(b[8:], i.size)
	le.PutUint32(b[16:], i.data)
	le.PutUint32(b[20:], i.number)
	le.PutUint32(b[24:], i.uid)
	le.PutUint32(b[28:], i.gid)
	le.PutUint64(b[32:], i.modTime)
	le.PutUint32(b[40:], i.modNsec)
	le.PutUint32(b[44:], i.links)
}

// dirent is erofs_dirent.
type dirent struct {
	nid      uint64
	nameAt   uint16 // from the start of the block
	fileType uint8
}

// put writes the entry to b, without its name.
func (d *dirent) put(b []byte) {
	binary.LittleEndian.PutUint64(b[0:], d.nid)
	binary.LittleEndian.PutUint16(b[8:], d.nameAt)
	b[10], b[11] = d.fileType, 0
}
