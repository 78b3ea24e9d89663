package ext4

import (
	"encoding/binary"

	"github.com/drivebay/drivebay/image/filetree"
)

// Constants of directories (fs/ext4/ext4.h).
const (
	direntHead    = 8  // bytes of an entry before its name
	dirTail       = 12 // bytes of the fake entry that holds a block's checksum
	dirTailType   = 0xde
	dotsLen       = 24 // "." and ".." at the start of the first block
	lostFoundSize = 16 << 10
)

// Types of files in a directory's entries.
const (
	typeRegular = 1 + iota
	typeDir
	typeChar
	typeBlock
	typeFIFO
	typeSocket
	typeSymlink
)

// dirType returns the type of a file for its entry in a directory.
func dirType(n filetree.Node) uint8 {
	switch n.UnixMode() & filetree.ModeType {
	case filetree.ModeDir:
		return typeDir
	case filetree.ModeChar:
		return typeChar
	case filetree.ModeBlock:
		return typeBlock
	case filetree.ModeFIFO:
		return typeFIFO
	case filetree.ModeSocket:
		return typeSocket
	case filetree.ModeSymlink:
		return typeSymlink
	}
	return typeRegular
}

// direntLen returns the length of an entry with a name of n bytes.
func direntLen(n int) int { return (direntHead + n + 3) &^ 3 }

// lostFoundLen returns the blocks of lost+found: 16 KiB for e2fsck to enter what
// it finds without allocating, but no indirect block in a file system that had
// these, as mke2fs has it.
func lostFoundLen(blockSize int64) int64 { return min(12, lostFoundSize/blockSize) }

// longDir is a directory of more than one block.
type longDir struct {
	blocks  uint32
	entries uint32 // beside "." and ".."
	indexed bool   // or kept empty, for e2fsck
}

// dirLen returns the number of blocks of a directory.
func (p *plan) dirLen(ino uint32) int64 {
	if d, ok := p.longDirs[ino]; ok {
		return int64(d.blocks)
	}
	return 1
}

// dirBlock fills a block of a directory.
type dirBlock struct {
	b    []byte
	end  int // of the entries so far
	last int // where the last of them is
}

// add appends an entry.
func (d *dirBlock) add(ino uint32, typ uint8, name []byte) {
	d.last = d.end
	d.end += putDirent(d.b[d.end:], ino, typ, name)
}

// dots appends "." and "..".
func (d *dirBlock) dots(ino, parent uint32) {
	d.add(ino, typeDir, []byte("."))
	d.add(parent, typeDir, []byte(".."))
}

// putDirent writes an entry of just the length that it needs.
func putDirent(b []byte, ino uint32, typ uint8, name []byte) int {
	n := direntLen(len(name))
	binary.LittleEndian.PutUint32(b[0:], ino)
	binary.LittleEndian.PutUint16(b[4:], uint16(n))
	b[6] = uint8(len(name))
	b[7] = typ
	copy(b[direntHead:n], name)
	return n
}

// close gives the rest of the block to the last entry, or to none where there is
// none, and sets the checksum.
func (d *dirBlock) close(seed uint32) {
	tail := len(d.b) - dirTail
	binary.LittleEndian.PutUint16(d.b[d.last+4:], uint16(tail-d.last))
	binary.LittleEndian.PutUint16(d.b[tail+4:], dirTail)
	d.b[tail+7] = dirTailType
	binary.LittleEndian.PutUint32(d.b[tail+8:], crc32c(seed, d.b[:tail]))
}

// writeDir writes the blocks of a directory.
func (x *writer) writeDir(ino uint32, pl *placement) error {
	blocks := &blockCounter{extents: pl.extents}
	n, ok := x.node(ino)
	if ok && x.longDirs[ino].indexed {
		return x.writeIndexed(ino, n, blocks)
	}
	clear(x.buf)
	d := dirBlock{b: x.buf}
	d.dots(ino, x.parent(ino))
	if ok {
		for c := range n.Children() {
			x.index.name = c.AppendName(x.index.name[:0])
			d.add(x.inode(c), dirType(c), x.index.name)
		}
		if x.makesLostFound(ino) {
			d.add(inoLostFound, typeDir, []byte(lostFound))
		}
	}
	d.close(x.inodeSeed(ino))
	if err := x.writeBlock(blocks.next(), x.buf); err != nil {
		return err
	}
	for range x.dirLen(ino) - 1 {
		clear(x.buf)
		d = dirBlock{b: x.buf}
		d.close(x.inodeSeed(ino))
		if err := x.writeBlock(blocks.next(), x.buf); err != nil {
			return err
		}
	}
	return nil
}

// makesLostFound reports whether a directory is the root, and gets the lost+found
// that the tree does not have.
func (p *plan) makesLostFound(ino uint32) bool {
	_, ok := p.node(inoLostFound)
	return ino == inoRoot && !ok
}

// parent returns the inode of the directory that a directory is in.
func (p *plan) parent(ino uint32) uint32 {
	n, ok := p.node(ino)
	if !ok {
		return inoRoot
	}
	return p.inode(n.Parent())
}
