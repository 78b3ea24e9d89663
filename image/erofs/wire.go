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
	chunkIndexLen = 8
	nullBlock     = 1<<32 - 1 // no block: a hole
)

// Features.
const (
	compatChecksum = 1 << 0
	compatModTime  = 1 << 1 // extended inodes have the time of modification

	incompatZeroPadding  = 1 << 0 // of compressed blocks
	incompatCompressions = 1 << 1 // parameters of compressions follow the superblock
	incompatChunked      = 1 << 2
	incompatDevices      = 1 << 3 // or a second compression
	incompatTails        = 1 << 4 // compressed ones behind inodes
	incompatFragments    = 1 << 5 // compressed, of several files in one
	incompatPrefixes     = 1 << 6 // of names of attributes
	incompat48bit        = 1 << 7
	incompatMetabox      = 1 << 8
)

// Layouts of an inode's content. 1 and 3 are compressed.
const (
	layoutPlain  = 0 // whole blocks
	layoutInline = 2 // whole blocks, and the rest behind the inode
	layoutChunks = 4 // a table of chunks behind the inode
	formatBits   = 4 // of an inode, with the bit below the layout that tells an extended one
)

// superblock is erofs_super_block. What is behind the features is for compression,
// other devices and long prefixes of attributes, and zero where it is written.
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
	Compressions            uint16
	ExtraDevices            uint16
	DeviceSlot              uint16
	DirBlockBits            uint8
	Prefixes                uint8
	PrefixStart             uint32
	PackedNID               uint64
	XattrFilter             uint8
	Reserved                [23]uint8
}

// put writes the superblock to b.
func (s *superblock) put(b []byte) {
	if _, err := binary.Encode(b, le, s); err != nil {
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

// takeCompact reads an erofs_inode_compact.
func (i *inode) takeCompact(b []byte) {
	i.takeFirst(b)
	i.links, i.size = uint32(le.Uint16(b[6:])), uint64(le.Uint32(b[8:]))
	i.uid, i.gid = uint32(le.Uint16(b[24:])), uint32(le.Uint16(b[26:]))
}

// takeExtended reads an erofs_inode_extended.
func (i *inode) takeExtended(b []byte) {
	i.takeFirst(b)
	i.size = le.Uint64(b[8:])
	i.uid, i.gid = le.Uint32(b[24:]), le.Uint32(b[28:])
	i.modTime, i.modNsec = le.Uint64(b[32:]), le.Uint32(b[40:])
	i.links = le.Uint32(b[44:])
}

// takeFirst reads what the two forms have in the same places.
func (i *inode) takeFirst(b []byte) {
	i.layout, i.xattrCount, i.mode = le.Uint16(b)>>1, le.Uint16(b[2:]), le.Uint16(b[4:])
	i.data, i.number = le.Uint32(b[16:]), le.Uint32(b[20:])
}

// dirent is erofs_dirent.
type dirent struct {
	nid      uint64
	nameAt   uint16 // from the start of the block
	fileType uint8
}

// put writes the entry to b, without its name.
func (d *dirent) put(b []byte) {
	le.PutUint64(b[0:], d.nid)
	le.PutUint16(b[8:], d.nameAt)
	b[10], b[11] = d.fileType, 0
}

// take reads the entry.
func (d *dirent) take(b []byte) {
	d.nid, d.nameAt, d.fileType = le.Uint64(b), le.Uint16(b[8:]), b[10]
}

// xattrEntry is erofs_xattr_entry. The name and the value follow.
type xattrEntry struct {
	nameLen, index uint8
	valueLen       uint16
}

// size returns the bytes that the entry takes with its name and value.
func (e *xattrEntry) size() int { return (xattrEntryLen + int(e.nameLen) + int(e.valueLen) + 3) &^ 3 }

// append appends the entry to b, without its name and value.
func (e *xattrEntry) append(b []byte) []byte {
	return le.AppendUint16(append(b, e.nameLen, e.index), e.valueLen)
}

// take reads the entry.
func (e *xattrEntry) take(b []byte) {
	e.nameLen, e.index, e.valueLen = b[0], b[1], le.Uint16(b[2:])
}

var le = binary.LittleEndian
