package ext4

import (
	"encoding/binary"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
)

// Numbers of inodes with a purpose (fs/ext4/ext4.h, "Special inodes numbers").
const (
	inoRoot      = 2
	inoResize    = 7
	inoJournal   = 8
	inoLostFound = 11 // the first that is not reserved
)

// Flags in i_flags.
const (
	flagIndex   = 0x1000
	flagExtents = 0x80000
)

const (
	// extraSize is i_extra_isize: all fields up to the project's number.
	extraSize = 32
	// maxFastTarget is the longest target of a symbolic link in i_block, with
	// a NUL behind it.
	maxFastTarget = 59
	// maxLinks is EXT4_LINK_MAX.
	maxLinks = 65000
)

// inode is struct ext4_inode (fs/ext4/ext4.h), without the attributes behind it.
type inode struct {
	Mode        uint16
	UID         uint16
	SizeLo      uint32
	Atime       uint32
	Ctime       uint32
	Mtime       uint32
	Dtime       uint32
	GID         uint16
	LinksCount  uint16
	BlocksLo    uint32
	Flags       uint32
	VersionLo   uint32
	Block       [60]byte
	Generation  uint32
	FileACLLo   uint32
	SizeHigh    uint32
	ObsoFaddr   uint32
	BlocksHigh  uint16
	FileACLHigh uint16
	UIDHigh     uint16
	GIDHigh     uint16
	ChecksumLo  uint16
	Reserved    uint16
	ExtraIsize  uint16
	ChecksumHi  uint16
	CtimeExtra  uint32
	MtimeExtra  uint32
	AtimeExtra  uint32
	Crtime      uint32
	CrtimeExtra uint32
	VersionHi   uint32
	ProjID      uint32
}

// put writes the inode's fields, but for those that are always zero here. It is
// what encoding/binary does, without its costs.
func (i *inode) put(b []byte) {
	le := binary.LittleEndian
	le.PutUint16(b[0:], i.Mode)
	le.PutUint16(b[2:], i.UID)
	le.PutUint32(b[4:], i.SizeLo)
	le.PutUint32(b[8:], i.Atime)
	le.PutUint32(b[12:], i.Ctime)
	le.PutUint32(b[16:], i.Mtime)
	le.PutUint16(b[24:], i.GID)
	le.PutUint16(b[26:], i.LinksCount)
	le.PutUint32(b[28:], i.BlocksLo)
	le.PutUint32(b[32:], i.Flags)
	copy(b[40:100], i.Block[:])
	le.PutUint32(b[104:], i.FileACLLo)
	le.PutUint32(b[108:], i.SizeHigh)
	le.PutUint16(b[116:], i.BlocksHigh)
	le.PutUint16(b[118:], i.FileACLHigh)
	le.PutUint16(b[120:], i.UIDHigh)
	le.PutUint16(b[122:], i.GIDHigh)
	le.PutUint16(b[128:], i.ExtraIsize)
	le.PutUint32(b[132:], i.CtimeExtra)
	le.PutUint32(b[136:], i.MtimeExtra)
	le.PutUint32(b[140:], i.AtimeExtra)
	le.PutUint32(b[144:], i.Crtime)
	le.PutUint32(b[148:], i.CrtimeExtra)
}

// sealInode sets the checksum of an inode in its 256 bytes.
func sealInode(b []byte, seed uint32) {
	sum := crc32c(seed, b)
	binary.LittleEndian.PutUint16(b[124:], uint16(sum))
	binary.LittleEndian.PutUint16(b[130:], uint16(sum>>16))
}

func (i *inode) setSize(n int64) {
	i.SizeLo, i.SizeHigh = uint32(n), uint32(n>>32)
}

// setBlocks sets i_blocks, which counts units of 512 bytes (the feature
// huge_file lets it have 48 bits).
func (i *inode) setBlocks(n, blockSize int64) {
	n *= blockSize / 512
	i.BlocksLo, i.BlocksHigh = uint32(n), uint16(n>>32)
}

func (i *inode) setOwner(uid, gid uint32) {
	i.UID, i.UIDHigh = uint16(uid), uint16(uid>>16)
	i.GID, i.GIDHigh = uint16(gid), uint16(gid>>16)
}

func (i *inode) setTimes(access, change, modify, create timestamp) {
	i.Atime, i.AtimeExtra = access.sec, access.extra
	i.Ctime, i.CtimeExtra = change.sec, change.extra
	i.Mtime, i.MtimeExtra = modify.sec, modify.extra
	i.Crtime, i.CrtimeExtra = create.sec, create.extra
}

// setTree makes i_block the root of the extent tree.
func (i *inode) setTree(pl *placement, blockSize int64) {
	i.Flags |= flagExtents
	t := extentTree{pl.extents, pl.tree, extentsPerBlock(blockSize)}
	t.putRoot(i.Block[:])
}

// setDevice puts the number of a device into i_block, in the old encoding where
// it suffices (include/linux/kdev_t.h).
func (i *inode) setDevice(d filetree.Device) {
	if d.Major < 256 && d.Minor < 256 {
		binary.LittleEndian.PutUint32(i.Block[0:], d.Major<<8|d.Minor)
		return
	}
	binary.LittleEndian.PutUint32(i.Block[4:], d.Minor&0xff|d.Major<<8|d.Minor>>8<<20)
}

// newInode returns an inode of the file system's own, made at its creation.
func (p *plan) newInode(mode uint16, size int64, pl *placement) inode {
	i := inode{Mode: mode, LinksCount: 1, ExtraIsize: extraSize}
	now := newTimestamp(p.time)
	i.setTimes(now, now, now, now)
	i.setSize(size)
	i.setBlocks(pl.blocks, p.layout.blockSize)
	return i
}

// nodeInode returns the inode of a node of the tree.
func (p *plan) nodeInode(ino uint32, n filetree.Node, pl *placement) inode {
	i := inode{Mode: n.UnixMode(), LinksCount: uint16(n.Links()), ExtraIsize: extraSize}
	i.setOwner(n.UID(), n.GID())
	p.setNodeTimes(&i, n)
	i.setBlocks(pl.blocks, p.layout.blockSize)
	i.FileACLLo, i.FileACLHigh = uint32(pl.xattr), uint16(pl.xattr>>32)
	switch i.Mode & filetree.ModeType {
	case filetree.ModeDir:
		i.LinksCount = dirLinks(n)
		i.setSize(p.dirLen(ino) * p.layout.blockSize)
		if p.longDirs[ino].indexed {
			i.Flags |= flagIndex
		}
		i.setTree(pl, p.layout.blockSize)
	case filetree.ModeRegular:
		i.setSize(n.Size())
		i.setTree(pl, p.layout.blockSize)
	case filetree.ModeSymlink:
		t := n.Target()
		i.setSize(int64(len(t)))
		if len(t) <= maxFastTarget {
			copy(i.Block[:], t)
		} else {
			i.setTree(pl, p.layout.blockSize)
		}
	case filetree.ModeChar, filetree.ModeBlock:
		i.setDevice(n.Device())
	}
	return i
}

func (p *plan) setNodeTimes(i *inode, n filetree.Node) {
	modify := n.ModTime()
	m := newTimestamp(modify)
	other := func(t time.Time) timestamp {
		if t.Equal(modify) {
			return m
		}
		return newTimestamp(t)
	}
	i.setTimes(other(n.AccessTime()), other(n.ChangeTime()), m, newTimestamp(p.time))
}

// dirLinks returns the link count of a directory: its name, its ".", and the
// ".." of each directory in it. One is "many" (the feature dir_nlink).
func dirLinks(n filetree.Node) uint16 {
	links := 2
	for c := range n.Children() {
		if c.IsDir() {
			links++
		}
	}
	if links > maxLinks {
		return 1
	}
	return uint16(links)
}
