package squashfs

import (
	"encoding/binary"
	"math"

	"github.com/drivebay/drivebay/image/filetree"
)

// modePerms is the bits of st_mode that are not the type.
const modePerms = 0o7777

// basicType returns the type of the inode of a node, as directories have it.
func basicType(n filetree.Node) uint16 {
	switch n.UnixMode() & filetree.ModeType {
	case filetree.ModeDir:
		return typeDir
	case filetree.ModeRegular:
		return typeRegular
	case filetree.ModeSymlink:
		return typeSymlink
	case filetree.ModeBlock:
		return typeBlock
	case filetree.ModeChar:
		return typeChar
	case filetree.ModeFIFO:
		return typeFIFO
	}
	return typeSocket
}

// beginInode begins the inode of a node in b.buf.
func (b *builder) beginInode(n filetree.Node, extended bool) {
	ino := b.inode(n)
	b.refs[ino-1] = b.inodes.ref()
	h := inodeHeader{
		Type: basicType(n), Mode: n.UnixMode() & modePerms,
		UID: b.idOf[n.UID()], GID: b.idOf[n.GID()], ModTime: modTime(n), Number: ino,
	}
	if extended {
		h.Type += typeExtended
	}
	b.buf = appendStruct(b.buf[:0], &h)
}

// endInode writes b.buf to the table of inodes.
func (b *builder) endInode() {
	_, _ = b.inodes.Write(b.buf)
	b.buf = b.buf[:0]
}

// content is where the content of a regular file is.
type content struct {
	start  int64 // of its blocks
	sparse int64 // bytes of holes that are as long as a block
	tail   tailPlace
	// blocks are the lengths of the blocks as the inode has them. A zero, which
	// is a hole, is followed by how many there are.
	blocks []uint32
}

// tailPlace is where the rest of a file is that is shorter than a block.
type tailPlace struct{ fragment, offset uint32 }

var noTail = tailPlace{fragment: noFragment}

// regularInode writes the inode of a regular file.
func (b *builder) regularInode(n filetree.Node, c *content) {
	ino, size := b.inode(n), n.Size()
	xattr := b.xattrOf(ino)
	basic := xattr == noXattr && n.Links() == 1 && c.sparse == 0 && size <= math.MaxUint32 && c.start <= math.MaxUint32
	b.beginInode(n, !basic)
	if basic {
		b.buf = appendStruct(b.buf, &regularInode{uint32(c.start), c.tail.fragment, c.tail.offset, uint32(size)})
	} else {
		b.buf = appendStruct(b.buf, &extendedRegularInode{
			Start: uint64(c.start), Size: uint64(size), Sparse: uint64(c.sparse),
			Links: uint32(n.Links()), Fragment: c.tail.fragment, Offset: c.tail.offset, Xattr: xattr,
		})
	}
	for i := 0; i < len(c.blocks); i++ {
		b.buf = binary.LittleEndian.AppendUint32(b.buf, c.blocks[i])
		if c.blocks[i] == 0 {
			i++
			b.endInode()
			b.zeroInodeBytes(4 * (int64(c.blocks[i]) - 1))
		}
	}
	b.endInode()
}

// zeroInodeBytes writes n zeros to the table of inodes.
func (b *builder) zeroInodeBytes(n int64) {
	for n > 0 {
		k := min(n, int64(len(zeros)))
		_, _ = b.inodes.Write(zeros[:k])
		n -= k
	}
}

var zeros [metaBlockLen]byte

// otherInode writes the inode of what is neither a regular file nor a directory.
func (b *builder) otherInode(n filetree.Node) {
	xattr, links := b.xattrOf(b.inode(n)), uint32(n.Links())
	b.beginInode(n, xattr != noXattr)
	switch basicType(n) {
	case typeSymlink:
		target := n.Target()
		b.buf = append(appendStruct(b.buf, &symlinkInode{links, uint32(len(target))}), target...)
	case typeBlock, typeChar:
		b.buf = appendStruct(b.buf, &deviceInode{links, deviceNumber(n.Device())})
	default:
		b.buf = appendStruct(b.buf, &ipcInode{links})
	}
	if xattr != noXattr {
		b.buf = binary.LittleEndian.AppendUint32(b.buf, xattr)
	}
	b.endInode()
}

// deviceNumber is new_encode_dev (include/linux/kdev_t.h).
func deviceNumber(d filetree.Device) uint32 {
	return d.Minor&0xff | d.Major<<8 | d.Minor&^0xff<<12
}
