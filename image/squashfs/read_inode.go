package squashfs

import (
	"io/fs"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/rofs"
)

// typesOfInodes are the types of files by those of basic inodes, which directories
// have for them as well, as bits of st_mode.
var typesOfInodes = [...]uint16{
	typeDir: filetree.ModeDir, typeRegular: filetree.ModeRegular, typeSymlink: filetree.ModeSymlink,
	typeBlock: filetree.ModeBlock, typeChar: filetree.ModeChar, typeFIFO: filetree.ModeFIFO, typeSocket: filetree.ModeSocket,
}

// readInode is an inode as it was read, whether basic or extended. What its type
// does not have is zero, but for the number of its attributes.
type readInode struct {
	inodeHeader
	ref   metaRef
	typ   uint16 // basic
	links uint32
	xattr uint32
	// Of a regular file. The lengths of its blocks are read from blocks on.
	start            uint64
	size             uint64
	fragment, offset uint32
	blocks           *metaReader
	// Of a directory, in bytes, and where it is.
	listing int64
	entries metaRef
	target  string
	device  uint32
}

// inode reads an inode.
func (v *readVolume) inode(ref metaRef) (*readInode, error) {
	m, err := v.metaAt(v.sb.InodeTable, v.sb.DirectoryTable, ref, "the table of inodes")
	if err != nil {
		return nil, err
	}
	i := &readInode{ref: ref, links: 1, xattr: noXattr, blocks: m}
	if err := m.decode(&i.inodeHeader); err != nil {
		return nil, err
	}
	if i.Type < typeDir || i.Type > typeSocket+typeExtended {
		return nil, damaged("inode at %#x has the type %d: want %d to %d", uint64(ref), i.Type, typeDir, typeSocket+typeExtended)
	}
	extended := i.Type > typeSocket
	i.typ = i.Type
	if extended {
		i.typ -= typeExtended
	}
	switch i.typ {
	case typeDir:
		return i, i.readDir(m, extended)
	case typeRegular:
		return i, i.readRegular(m, extended)
	}
	if err := i.readOther(m); err != nil {
		return nil, err
	}
	if extended {
		i.xattr, err = m.uint32()
	}
	return i, err
}

func (i *readInode) readDir(m *metaReader, extended bool) error {
	if extended {
		var d extendedDirInode
		err := m.decode(&d)
		i.links, i.xattr = d.Links, d.Xattr
		i.listing, i.entries = int64(d.Size)-dotsLen, newMetaRef(int64(d.Start), int(d.Offset))
		return err
	}
	var d dirInode
	err := m.decode(&d)
	i.links, i.listing, i.entries = d.Links, int64(d.Size)-dotsLen, newMetaRef(int64(d.Start), int(d.Offset))
	return err
}

func (i *readInode) readRegular(m *metaReader, extended bool) error {
	if extended {
		var f extendedRegularInode
		err := m.decode(&f)
		i.links, i.xattr = f.Links, f.Xattr
		i.start, i.size, i.fragment, i.offset = f.Start, f.Size, f.Fragment, f.Offset
		return err
	}
	var f regularInode
	err := m.decode(&f)
	i.start, i.size, i.fragment, i.offset = uint64(f.Start), uint64(f.Size), f.Fragment, f.Offset
	return err
}

// readOther reads what is neither a regular file nor a directory, up to the number
// of its attributes.
func (i *readInode) readOther(m *metaReader) error {
	switch i.typ {
	case typeSymlink:
		var s symlinkInode
		if err := m.decode(&s); err != nil {
			return err
		}
		if s.TargetLen == 0 || s.TargetLen > filetree.MaxTarget {
			return damaged("symbolic link in the inode at %#x has a target of %d bytes: want 1 to %d", uint64(i.ref), s.TargetLen, filetree.MaxTarget)
		}
		target := make([]byte, s.TargetLen)
		err := m.read(target)
		i.links, i.target = s.Links, string(target)
		return err
	case typeBlock, typeChar:
		var d deviceInode
		err := m.decode(&d)
		i.links, i.device = d.Links, d.Device
		return err
	}
	var p ipcInode
	err := m.decode(&p)
	i.links = p.Links
	return err
}

// Stat describes a file.
func (v *readVolume) Stat(id rofs.ID) (rofs.File, error) {
	i, err := v.inode(metaRef(id))
	if err != nil {
		return rofs.File{}, err
	}
	f := rofs.File{Links: int(min(i.links, 1<<30)), Entry: filetree.Entry{
		Mode:    filetree.FileMode(typesOfInodes[i.typ] | i.Mode&modePerms),
		ModTime: time.Unix(int64(i.ModTime), 0).UTC(),
		Target:  i.target,
	}}
	if f.UID, err = v.owner(i.UID); err != nil {
		return f, err
	}
	if f.GID, err = v.owner(i.GID); err != nil {
		return f, err
	}
	switch i.typ {
	case typeRegular:
		f.Open = func() (filetree.Content, error) { return v.open(metaRef(id)) }
		if f.Size, f.Data, err = v.ranges(i); err != nil {
			return f, err
		}
	case typeBlock, typeChar:
		// new_decode_dev (include/linux/kdev_t.h)
		f.Device = filetree.Device{Major: i.device >> 8 & 0xfff, Minor: i.device&0xff | i.device>>12&0xfff00}
	}
	f.Xattrs, err = v.xattrs(i)
	return f, err
}

// typeOf returns the type of a file of a basic inode's type.
func typeOf(typ uint16) fs.FileMode { return filetree.FileMode(typesOfInodes[typ]).Type() }
