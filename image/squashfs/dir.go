package squashfs

import (
	"fmt"
	"math"

	"github.com/drivebay/drivebay/image/filetree"
)

// Limits of what is behind a header in a directory.
const (
	maxEntries = 256
	maxDelta   = math.MaxInt16
	// dotsLen is what a directory is longer than its entries: "." and "..".
	dotsLen = 3
)

// directories writes the inodes and the entries of all directories. A directory
// has to know the places of the inodes in it, which are written before: those of
// the directories in one side by side, so that few headers tell of them.
func (b *builder) directories() error {
	root := b.tree.Root()
	if err := b.dirsIn(root); err != nil {
		return err
	}
	return b.directory(root)
}

// dirsIn writes the directories in a directory.
func (b *builder) dirsIn(dir filetree.Node) error {
	for c := range dir.Children() {
		if c.IsDir() {
			if err := b.dirsIn(c); err != nil {
				return err
			}
		}
	}
	for c := range dir.Children() {
		if c.IsDir() {
			if err := b.directory(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// directory writes the entries of a directory, and its inode.
func (b *builder) directory(dir filetree.Node) error {
	l := listing{b: b, start: b.dirs.ref()}
	subdirs := uint32(0)
	for c := range dir.Children() {
		if c.IsDir() {
			subdirs++
		}
		l.add(c)
	}
	l.flush()
	if l.size+dotsLen > math.MaxUint32 {
		return fileError(dir, fmt.Errorf("%w: entries of %d bytes, want less than 4 GiB", ErrUnsupported, l.size))
	}
	parent := uint32(len(b.nodeOf)) + 1 // of the root, as mksquashfs has it
	if ino := b.inode(dir); ino != 1 {
		parent = b.inode(dir.Parent())
	}
	b.dirInode(dir, &l, 2+subdirs, parent)
	return nil
}

func (b *builder) dirInode(dir filetree.Node, l *listing, links, parent uint32) {
	size, xattr := l.size+dotsLen, b.xattrOf(b.inode(dir))
	if size <= math.MaxUint16 && l.indexLen == 0 && xattr == noXattr {
		b.beginInode(dir, false)
		b.buf = appendStruct(b.buf, &dirInode{l.start.block(), links, uint16(size), l.start.offset(), parent})
		b.endInode()
		return
	}
	b.beginInode(dir, true)
	b.buf = appendStruct(b.buf, &extendedDirInode{links, uint32(size), l.start.block(), parent, l.indexLen, l.start.offset(), xattr})
	b.buf = append(b.buf, l.index...)
	b.endInode()
}

// listing writes the entries of a directory, in the order of their names. Those
// behind one header have inodes in one block of the table.
type listing struct {
	b        *builder
	start    metaRef
	size     int64 // bytes written
	header   dirHeader
	count    int    // of entries that are not written yet
	entries  []byte // those
	first    string // the name of the first
	index    []byte
	indexLen uint16
	indexed  uint32 // the block that the index has a place in
}

func (l *listing) add(c filetree.Node) {
	ino := l.b.inode(c)
	ref := l.b.refs[ino-1]
	delta := int64(ino) - int64(l.header.Number)
	if l.count == maxEntries || l.count > 0 && (ref.block() != l.header.Start || delta < -maxDelta || delta > maxDelta) {
		l.flush()
	}
	if l.count == 0 {
		l.header.Start, l.header.Number, delta = ref.block(), ino, 0
		l.first = c.Name()
	}
	at := len(l.entries)
	l.entries = appendStruct(l.entries, &dirEntry{Offset: ref.offset(), Number: int16(delta), Type: basicType(c)})
	name := len(l.entries)
	l.entries = c.AppendName(l.entries)
	l.entries[at+6] = byte(len(l.entries) - name - 1) // of at most 255 bytes: NameLen has no high byte
	l.count++
}

// flush writes a header and its entries. The index leads to the first header in
// each block of the table but that in which the directory begins.
func (l *listing) flush() {
	if l.count == 0 {
		return
	}
	dirs := l.b.dirs
	block := dirs.ref().block()
	if l.size > 0 && block != l.start.block() && (l.indexLen == 0 || block != l.indexed) && l.indexLen < math.MaxUint16 {
		l.index = appendStruct(l.index, &dirIndex{Index: uint32(l.size), Start: block, NameLen: uint32(len(l.first) - 1)})
		l.index = append(l.index, l.first...)
		l.indexLen++
		l.indexed = block
	}
	l.header.Count = uint32(l.count - 1)
	header := appendStruct(nil, &l.header)
	_, _ = dirs.Write(header)
	_, _ = dirs.Write(l.entries)
	l.size += int64(len(header) + len(l.entries))
	l.entries, l.count = l.entries[:0], 0
}
