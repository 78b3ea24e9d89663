package squashfs

import "encoding/binary"

// The structures of the format, whose fields follow each other without padding,
// little-endian (fs/squashfs/squashfs_fs.h). What they refer to in tables of
// metadata they do by metaRef.

const (
	magic         = 0x73717368
	superblockLen = 96
	maxNameLen    = 256     // SQUASHFS_NAME_LEN
	metaBlockLen  = 8192    // of tables, before compression
	metaRaw       = 1 << 15 // in the length of a block of metadata: it is not compressed
	dataRaw       = 1 << 24 // the same for a block of data
	noFragment    = 1<<32 - 1
	noXattr       = 1<<32 - 1
	noTable       = 1<<64 - 1
)

// Flags of a superblock.
const (
	flagRawInodes = 1 << 0
	flagRawData   = 1 << 1
	flagRawTails  = 1 << 3
	flagNoTails   = 1 << 4
	flagAllTails  = 1 << 5
	flagNoDoubles = 1 << 6
	flagExport    = 1 << 7
	flagRawXattrs = 1 << 8
	flagNoXattrs  = 1 << 9
	flagOptions   = 1 << 10
	flagRawIDs    = 1 << 11
)

// superblock is squashfs_super_block. Tables are told by the offset of their
// index where they have one, by that of their first block where they have none.
type superblock struct {
	Magic, Inodes, MkfsTime, BlockSize, Fragments          uint32
	Compression, BlockLog, Flags, IDs, Major, Minor        uint16
	RootInode                                              metaRef
	BytesUsed                                              uint64
	IDTable, XattrTable                                    uint64
	InodeTable, DirectoryTable, FragmentTable, LookupTable uint64
}

// metaRef is a place in a table: the offset of a block in the table above the
// low 16 bits, and in these an offset in what the block has in it.
type metaRef uint64

func newMetaRef(block int64, offset int) metaRef { return metaRef(block)<<16 | metaRef(offset) }

// block returns the offset of the block.
func (r metaRef) block() uint32 { return uint32(r >> 16) }

// offset returns the offset in the block.
func (r metaRef) offset() uint16 { return uint16(r) }

// Types of inodes. That of an extended one is more by extended.
const (
	typeDir      = 1
	typeRegular  = 2
	typeSymlink  = 3
	typeBlock    = 4
	typeChar     = 5
	typeFIFO     = 6
	typeSocket   = 7
	typeExtended = 7
)

// inodeHeader is squashfs_base_inode, with which all inodes begin.
type inodeHeader struct {
	Type, Mode, UID, GID uint16
	ModTime, Number      uint32
}

// regularInode is squashfs_reg_inode behind its header. The lengths of the blocks
// follow, 4 bytes each.
type regularInode struct {
	Start, Fragment, Offset, Size uint32
}

// extendedRegularInode is squashfs_lreg_inode.
type extendedRegularInode struct {
	Start, Size, Sparse            uint64
	Links, Fragment, Offset, Xattr uint32
}

// dirInode is squashfs_dir_inode.
type dirInode struct {
	Start, Links uint32
	Size, Offset uint16
	Parent       uint32
}

// extendedDirInode is squashfs_ldir_inode. The directory's index follows.
type extendedDirInode struct {
	Links, Size, Start, Parent uint32
	IndexLen, Offset           uint16
	Xattr                      uint32
}

// dirIndex is squashfs_dir_index. A name follows.
type dirIndex struct {
	Index, Start, NameLen uint32 // NameLen is one less
}

// symlinkInode is squashfs_symlink_inode. The target follows, and of an extended
// one the number of its attributes.
type symlinkInode struct {
	Links, TargetLen uint32
}

// deviceInode is squashfs_dev_inode.
type deviceInode struct {
	Links, Device uint32
}

// ipcInode is squashfs_ipc_inode: a FIFO or a socket.
type ipcInode struct {
	Links uint32
}

// dirHeader is squashfs_dir_header: entries whose inodes are in one block.
type dirHeader struct {
	Count, Start, Number uint32 // Count is one less
}

// dirEntry is squashfs_dir_entry. A name follows.
type dirEntry struct {
	Offset        uint16
	Number        int16  // more than the header's
	Type, NameLen uint16 // NameLen is one less
}

// fragmentEntry is squashfs_fragment_entry.
type fragmentEntry struct {
	Start        uint64
	Size, Unused uint32
}

// xattrEntry is squashfs_xattr_entry. A name without its prefix follows, and then
// the length of the value in 4 bytes and the value.
type xattrEntry struct {
	Type, NameLen uint16
}

// xattrID is squashfs_xattr_id: the attributes of an inode.
type xattrID struct {
	Xattrs      metaRef
	Count, Size uint32
}

// xattrTableLen is the size of an xattrTable.
const xattrTableLen = 16

// xattrTable is squashfs_xattr_id_table. An index follows.
type xattrTable struct {
	Start       uint64
	IDs, Unused uint32
}

// appendStruct appends one of the structures to b.
func appendStruct(b []byte, s any) []byte {
	b, err := binary.Append(b, binary.LittleEndian, s)
	if err != nil {
		panic(err) // there is something in s that has no fixed size
	}
	return b
}
