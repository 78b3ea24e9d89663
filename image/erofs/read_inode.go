package erofs

import (
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/rofs"
	"github.com/drivebay/drivebay/image/volume"
)

// readInode is an inode as it was read.
type readInode struct {
	inode
	nid  uint64
	body int64 // where on the volume that is what is behind the inode: its attributes
	tail int64 // where that is what is behind these
}

// is reports whether the inode is of a type.
func (i *readInode) is(typ uint16) bool { return i.mode&filetree.ModeType == typ }

// inode reads an inode.
func (v *readVolume) inode(nid uint64) (*readInode, error) {
	if most := uint64(v.used-v.meta) / slotLen; v.meta > v.used || nid >= most {
		return nil, damaged("inode %d: want 0 to %d", nid, int64(most)-1)
	}
	at := v.meta + int64(nid)*slotLen
	b, err := v.readAt(at, min(extendedLen, v.used-at), "an inode")
	if err != nil {
		return nil, err
	}
	i := &readInode{nid: nid, body: at + compactLen}
	switch format := le.Uint16(b); {
	case format>>formatBits != 0 || format>>1 > layoutChunks:
		return nil, fmt.Errorf("%w: inode %d has the format %#x", volume.ErrFeature, nid, format)
	case format&1 == 0:
		i.takeCompact(b)
		i.modTime, i.modNsec = v.sb.BuildTime, v.sb.BuildTimeNsec
	case len(b) < extendedLen:
		return nil, damaged("inode %d is longer than the volume", nid)
	default:
		i.takeExtended(b)
		i.body = at + extendedLen
	}
	if i.tail = i.body; i.xattrCount > 0 {
		i.tail += xattrHeaderLen + int64(i.xattrCount-1)*4
	}
	if i.size > math.MaxInt64 {
		return nil, damaged("inode %d has a size of %d bytes: want at most %d", nid, i.size, int64(math.MaxInt64))
	}
	return i, nil
}

// Stat describes a file.
func (v *readVolume) Stat(id rofs.ID) (rofs.File, error) {
	i, err := v.inode(uint64(id))
	if err != nil {
		return rofs.File{}, err
	}
	f := rofs.File{Links: int(min(i.links, math.MaxInt32)), Entry: filetree.Entry{
		Mode:    filetree.FileMode(i.mode),
		UID:     i.uid,
		GID:     i.gid,
		ModTime: time.Unix(int64(i.modTime), int64(i.modNsec)).UTC(),
	}}
	switch i.mode & filetree.ModeType {
	case filetree.ModeRegular:
		f.Size = int64(i.size)
		f.Open = func() (filetree.Content, error) { return v.open(uint64(id)) }
		f.Data, err = v.ranges(i)
	case filetree.ModeSymlink:
		f.Target, err = v.target(i)
	case filetree.ModeChar, filetree.ModeBlock:
		f.Device = device(i.data)
	case filetree.ModeDir, filetree.ModeFIFO, filetree.ModeSocket:
	default:
		err = damaged("inode %d has the mode %#o, which is of no type of file", i.nid, i.mode)
	}
	if err == nil {
		f.Xattrs, err = v.xattrs(i)
	}
	return f, err
}

// target returns what a symbolic link points to.
func (v *readVolume) target(i *readInode) (string, error) {
	if i.size < 1 || i.size > filetree.MaxTarget {
		return "", damaged("symbolic link in inode %d has a target of %d bytes: want 1 to %d", i.nid, i.size, filetree.MaxTarget)
	}
	r, err := v.content(i)
	if err != nil {
		return "", err
	}
	b := make([]byte, i.size)
	_, err = r.ReadAt(b, 0)
	return string(b), err
}

// device is new_decode_dev of include/linux/kdev_t.h.
func device(n uint32) filetree.Device {
	return filetree.Device{Major: n >> 8 & 0xfff, Minor: n&0xff | n>>12&0xfff00}
}

// typeOf returns the type of a file by that which directories have for it.
func typeOf(fileType uint8) fs.FileMode { return filetree.FileMode(fileTypes[fileType]).Type() }
