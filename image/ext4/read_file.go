package ext4

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/rofs"
)

// open opens the content of a regular file.
func (v *readVolume) open(ino uint32) (filetree.Content, error) {
	i, err := v.inode(ino)
	if err != nil {
		return nil, err
	}
	size, err := v.sizeOf(i)
	if err != nil {
		return nil, err
	}
	switch {
	case i.Flags&flagEncrypt != 0:
		return nil, encrypted(i)
	case i.Flags&flagInlineData != 0:
		b, err := v.inlineData(i, size)
		if err != nil {
			return nil, err
		}
		return rofs.NewContent(bytes.NewReader(b), size), nil
	}
	extents, err := v.extents(i, size)
	if err != nil {
		return nil, err
	}
	return rofs.NewContent(&extentReader{v, i.ino, size, extents}, size), nil
}

// content returns the content of an inode that is known to be small.
func (v *readVolume) content(i *readInode, size int64) ([]byte, error) {
	if i.Flags&flagInlineData != 0 {
		return v.inlineData(i, size)
	}
	extents, err := v.extents(i, size)
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	_, err = (&extentReader{v, i.ino, size, extents}).ReadAt(b, 0)
	return b, err
}

// inlineData returns a content that is in the inode: in i_block, and what does not
// fit there in an attribute (Documentation/filesystems/ext4/inlinedata.rst).
func (v *readVolume) inlineData(i *readInode, size int64) ([]byte, error) {
	b := i.Block[:]
	if size > int64(len(b)) {
		more, err := v.inlineRest(i)
		if err != nil {
			return nil, err
		}
		b = append(bytes.Clone(b), more...)
	}
	if size > int64(len(b)) {
		return nil, damaged("inode %d holds %d bytes inline: want %d", i.ino, len(b), size)
	}
	return b[:size], nil
}

// extentReader is an io.ReaderAt of the content of a file.
type extentReader struct {
	v       *readVolume
	ino     uint32
	size    int64
	extents []extent
}

// ReadAt reads data from the volume, and zeros in holes.
func (r *extentReader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d: want an offset from 0 on", off)
	}
	if off >= r.size {
		return 0, io.EOF
	}
	if left := r.size - off; int64(len(p)) > left {
		p, err = p[:left], io.EOF
	}
	for n < len(p) {
		start, length := r.extent(off + int64(n))
		part := p[n:]
		part = part[:min(length, int64(len(part)))]
		if start < 0 {
			clear(part)
		} else if err := r.v.readAt(part, start, fmt.Sprintf("inode %d at %d", r.ino, off+int64(n))); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, err
}

// extent returns where on the volume the content goes on at an offset, and for how
// many bytes. A hole is at -1.
func (r *extentReader) extent(off int64) (start, length int64) {
	bits := r.v.blockBits
	logical := off >> bits
	k, _ := slices.BinarySearchFunc(r.extents, logical, func(e extent, logical int64) int {
		return cmp.Compare(int64(e.logical)+int64(e.length)-1, logical)
	})
	if k == len(r.extents) {
		return -1, r.size - off
	}
	e := r.extents[k]
	first := int64(e.logical) << bits
	if off < first {
		return -1, first - off
	}
	return e.start<<bits + off - first, int64(e.length)<<bits - (off - first)
}
