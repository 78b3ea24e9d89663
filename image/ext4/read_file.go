package ext4

import (
	"bytes"

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
	return rofs.NewContent(v.reader(extents, size), size), nil
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
	_, err = v.reader(extents, size).ReadAt(b, 0)
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

// reader returns a reader of the content that is in extents.
func (v *readVolume) reader(extents []extent, size int64) *rofs.RunReader {
	runs := make([]rofs.Run, len(extents))
	for k, e := range extents {
		runs[k] = rofs.Run{Offset: int64(e.logical) << v.blockBits, At: e.start << v.blockBits, Length: int64(e.length) << v.blockBits}
	}
	return &rofs.RunReader{Volume: v.r, Runs: runs, Size: size}
}
