package ext4

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/rofs"
	"github.com/drivebay/drivebay/image/volume"
)

// Flags in i_flags beside those that are written here.
const (
	flagEncrypt    = 0x800
	flagEAInode    = 0x200000
	flagInlineData = 0x10000000
)

// goodOldInode is EXT4_GOOD_OLD_INODE_SIZE: the bytes that each inode has.
const goodOldInode = 128

// readInode is an inode as it was read.
type readInode struct {
	inode
	ino  uint32
	raw  []byte // all of it, with the attributes
	seed uint32 // of the checksums of what belongs to it
}

// inode reads an inode of a file, a directory's child or the root.
func (v *readVolume) inode(ino uint32) (*readInode, error) {
	if ino != inoRoot && ino < v.firstInode {
		return nil, damaged("inode %d is the file system's own: want one from %d on", ino, v.firstInode)
	}
	i, err := v.rawInode(ino)
	if err != nil {
		return nil, err
	}
	if i.LinksCount == 0 {
		return nil, damaged("inode %d is not in use: it has no links", ino)
	}
	return i, nil
}

// rawInode reads an inode and compares its checksum.
func (v *readVolume) rawInode(ino uint32) (*readInode, error) {
	if ino < 1 || ino > v.sb.InodesCount {
		return nil, damaged("inode %d: want 1 to %d", ino, v.sb.InodesCount)
	}
	group, index := int64((ino-1)/v.sb.InodesPerGroup), int64((ino-1)%v.sb.InodesPerGroup)
	table, err := v.inodeTable(group)
	if err != nil {
		return nil, err
	}
	perBlock := v.blockSize / v.inodeSize
	b, err := v.block(table+index/perBlock, "an inode table")
	if err != nil {
		return nil, err
	}
	i := &readInode{ino: ino, raw: b[index%perBlock*v.inodeSize:][:v.inodeSize]}
	var full [goodOldInode + extraSize]byte // zeros where the inode is shorter
	copy(full[:goodOldInode], i.raw)
	if v.inodeSize > goodOldInode {
		extra := int64(le.Uint16(i.raw[goodOldInode:]))
		if extra%4 != 0 || extra > v.inodeSize-goodOldInode {
			return nil, damaged("inode %d has %d more bytes of fields: want a multiple of 4 up to %d", ino, extra, v.inodeSize-goodOldInode)
		}
		copy(full[goodOldInode:], i.raw[goodOldInode:][:extra])
	}
	if _, err := binary.Decode(full[:], le, &i.inode); err != nil {
		return nil, err // cannot happen: full has the size of an inode
	}
	i.seed = csum32(v.seed, ino, i.Generation)
	return i, v.checkInode(i)
}

// checkInode compares the checksum of an inode (fs/ext4/inode.c, ext4_inode_csum).
func (v *readVolume) checkInode(i *readInode) error {
	if !v.checksums() {
		return nil
	}
	const lo, hi = 124, 130 // l_i_checksum_lo, i_checksum_hi
	var zero [2]byte
	sum := crc32c(i.seed, i.raw[:lo])
	sum = crc32c(sum, zero[:])
	rest, mask := i.raw[lo+2:], uint32(0xffff)
	if i.ExtraIsize >= hi+2-goodOldInode {
		sum = crc32c(sum, i.raw[lo+2:hi])
		sum = crc32c(sum, zero[:])
		rest, mask = i.raw[hi+2:], ^uint32(0)
	}
	sum = crc32c(sum, rest)
	got := uint32(i.ChecksumLo) | uint32(i.ChecksumHi)<<16
	return checkSum(got&mask, sum&mask, "inode %d", i.ino)
}

// is reports whether the inode is of a type.
func (i *readInode) is(typ uint16) bool { return i.Mode&filetree.ModeType == typ }

// size returns the length of the content in bytes.
func (v *readVolume) sizeOf(i *readInode) (int64, error) {
	n := uint64(i.SizeLo)
	if i.is(filetree.ModeRegular) || v.incompat(incompatLargeDir) {
		n |= uint64(i.SizeHigh) << 32
	}
	if most := uint64(v.blockSize) << 32; n > most {
		return 0, damaged("inode %d has a size of %d bytes: want at most %d", i.ino, n, most)
	}
	return int64(n), nil
}

// Stat describes a file.
func (v *readVolume) Stat(id rofs.ID) (rofs.File, error) {
	i, err := v.inode(uint32(id))
	if err != nil {
		return rofs.File{}, err
	}
	f := rofs.File{Links: int(i.LinksCount), Entry: filetree.Entry{
		Mode:       filetree.FileMode(i.Mode),
		UID:        uint32(i.UID) | uint32(i.UIDHigh)<<16,
		GID:        uint32(i.GID) | uint32(i.GIDHigh)<<16,
		ModTime:    readTime(i.Mtime, i.MtimeExtra),
		AccessTime: readTime(i.Atime, i.AtimeExtra),
		ChangeTime: readTime(i.Ctime, i.CtimeExtra),
	}}
	switch i.Mode & filetree.ModeType {
	case filetree.ModeRegular:
		err = v.describeFile(&f, i)
	case filetree.ModeSymlink:
		f.Target, err = v.target(i)
	case filetree.ModeChar, filetree.ModeBlock:
		f.Device = readDevice(i)
	case filetree.ModeDir, filetree.ModeFIFO, filetree.ModeSocket:
	default:
		err = damaged("inode %d has the mode %#o, which is of no type of file", i.ino, i.Mode)
	}
	if err == nil {
		f.Xattrs, err = v.xattrs(i)
	}
	return f, err
}

// describeFile adds what only regular files have.
func (v *readVolume) describeFile(f *rofs.File, i *readInode) (err error) {
	if f.Size, err = v.sizeOf(i); err != nil {
		return err
	}
	ino := i.ino
	f.Open = func() (filetree.Content, error) { return v.open(ino) }
	if i.Flags&(flagInlineData|flagEncrypt) != 0 || f.Size == 0 {
		return nil
	}
	extents, err := v.extents(i, f.Size)
	if err != nil {
		return err
	}
	f.Data = v.ranges(extents, f.Size)
	return nil
}

// ranges returns where a file holds data, nil for everywhere.
func (v *readVolume) ranges(extents []extent, size int64) []filetree.Range {
	data := []filetree.Range{}
	for _, e := range extents {
		r := filetree.Range{Offset: int64(e.logical) << v.blockBits, Length: int64(e.length) << v.blockBits}
		r.Length = min(r.Length, size-r.Offset)
		if last := len(data) - 1; last >= 0 && data[last].End() == r.Offset {
			data[last].Length += r.Length
		} else {
			data = append(data, r)
		}
	}
	if len(data) == 1 && data[0] == (filetree.Range{Length: size}) {
		return nil
	}
	return data
}

// target returns what a symbolic link points to.
func (v *readVolume) target(i *readInode) (string, error) {
	size, err := v.sizeOf(i)
	switch {
	case err != nil:
		return "", err
	case size < 1 || size > filetree.MaxTarget:
		return "", damaged("symbolic link in inode %d has a target of %d bytes: want 1 to %d", i.ino, size, filetree.MaxTarget)
	case i.Flags&flagEncrypt != 0:
		return "", encrypted(i)
	case size <= maxFastTarget && i.Flags&(flagExtents|flagInlineData) == 0:
		return string(i.Block[:size]), nil
	}
	b, err := v.content(i, size)
	return string(b), err
}

// readTime returns the time of a field and the one that extends it.
func readTime(sec, extra uint32) time.Time {
	return time.Unix(int64(int32(sec))+int64(extra&3)<<32, int64(extra>>2)).UTC()
}

// readDevice returns the number of a device, which is in one of two encodings
// (include/linux/kdev_t.h).
func readDevice(i *readInode) filetree.Device {
	if old := le.Uint32(i.Block[0:]); old != 0 {
		return filetree.Device{Major: old >> 8 & 0xff, Minor: old & 0xff}
	}
	n := le.Uint32(i.Block[4:])
	return filetree.Device{Major: n >> 8 & 0xfff, Minor: n&0xff | n>>12&0xfff00}
}

func encrypted(i *readInode) error {
	return fmt.Errorf("%w: inode %d is encrypted", volume.ErrFeature, i.ino)
}

// typeOfMode returns the type of a file for package fs.
func typeOfMode(mode uint16) fs.FileMode { return filetree.FileMode(mode).Type() }
