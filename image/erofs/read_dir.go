package erofs

import (
	"bytes"
	"fmt"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/rofs"
)

// ReadDir lists a directory.
func (v *readVolume) ReadDir(id rofs.ID) ([]rofs.Child, error) {
	i, err := v.inode(uint64(id))
	if err != nil {
		return nil, err
	}
	switch {
	case !i.is(filetree.ModeDir):
		return nil, damaged("inode %d is not a directory", i.nid)
	case i.size > uint64(v.used):
		return nil, damaged("directory in inode %d has %d bytes: want at most the volume's %d", i.nid, i.size, v.used)
	}
	// They share nothing. Nobody who walks the tree shall find more than there is.
	if sum := v.listed.Add(id, int64(i.size)); sum > v.used {
		return nil, damaged("directories have %d bytes up to inode %d: want at most the volume's %d", sum, i.nid, v.used)
	}
	r, err := v.content(i)
	if err != nil {
		return nil, err
	}
	var list []rofs.Child
	b := make([]byte, v.blockSize)
	for at := int64(0); at < r.Size; at += v.blockSize {
		b := b[:min(v.blockSize, r.Size-at)]
		if _, err := r.ReadAt(b, at); err != nil {
			return nil, fmt.Errorf("directory in inode %d: %w", i.nid, err)
		}
		if list, err = appendChildren(list, b); err != nil {
			return nil, fmt.Errorf("directory in inode %d, block at %d: %w", i.nid, at, err)
		}
	}
	return list, nil
}

// appendChildren appends what is in a block of a directory: entries, and then their
// names, each up to the next one's.
func appendChildren(list []rofs.Child, b []byte) ([]rofs.Child, error) {
	if len(b) < direntLen {
		return nil, damaged("it has %d bytes: want at least %d", len(b), direntLen)
	}
	var d dirent
	d.take(b)
	names := int(d.nameAt)
	if names == 0 || names%direntLen != 0 || names > len(b) {
		return nil, damaged("its names begin at %d: want a multiple of %d, at most %d", names, direntLen, len(b))
	}
	for at := 0; at < names; at += direntLen {
		d.take(b[at:])
		end := len(b)
		if at+direntLen < names {
			end = int(le.Uint16(b[at+direntLen+8:]))
		}
		start := int(d.nameAt)
		if start < names || start >= end || end > len(b) {
			return nil, damaged("the name of its entry %d is from %d to %d: want it from %d to %d", at/direntLen, start, end, names, len(b))
		}
		name := b[start:end]
		if end == len(b) {
			name, _, _ = bytes.Cut(name, []byte{0}) // the last one's end
		}
		if string(name) == "." || string(name) == ".." {
			continue
		}
		switch {
		case len(name) == 0 || len(name) > filetree.MaxName:
			return nil, damaged("it has a name of %d bytes: want 1 to %d", len(name), filetree.MaxName)
		case d.fileType == 0 || int(d.fileType) >= len(fileTypes):
			return nil, damaged("entry %q has the type %d: want 1 to %d", name, d.fileType, len(fileTypes)-1)
		}
		list = append(list, rofs.Child{Name: string(name), ID: rofs.ID(d.nid), Type: typeOf(d.fileType), Place: d.nid})
	}
	return list, nil
}
