package ext4

import (
	"context"
	"fmt"
	"io"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// writer writes a plan front to back. The files' blocks come in the order of
// their inodes, between the tables of the groups; inode tables, which come
// before the blocks that they tell of, go through the same placements with an
// allocator of their own.
type writer struct {
	*plan
	ctx     context.Context
	w       *volume.Writer
	sb      superblock
	descs   []byte
	meta    []metaRun // still to be written
	buf     []byte    // a block of a file
	table   []byte    // a block of a table
	inodes  allocator // of the inode tables
	data    allocator // of the files' blocks
	inodePl placement
	dataPl  placement
	index   dirIndex
	leaves  leafWindow
}

// Write implements [volume.Plan].
func (p *plan) Write(ctx context.Context, w *volume.Writer) error {
	x := &writer{
		plan:  p,
		ctx:   ctx,
		w:     w,
		sb:    p.newSuperblock(),
		descs: p.descriptors(),
		meta:  p.layout.meta,
		buf:   make([]byte, p.blockSize),
		data:  newAllocator(p.layout),
	}
	// The blocks of the journal, the resize inode and the root are known.
	x.skipReserved(&x.data)
	x.inodes = x.data
	err := x.writeAll()
	if cause := w.Err(ctx); cause != nil {
		err = cause // and not an error of the file that it was met at
	}
	if err != nil {
		return fmt.Errorf("ext4: %w", err)
	}
	return nil
}

func (x *writer) skipReserved(a *allocator) {
	var pl placement
	pl.content(a, 0, x.journalBlocks)
	pl.finish(a, x.blockSize)
	a.take(1)
	x.place(a, inoRoot, &pl)
}

func (x *writer) writeAll() error {
	if err := x.writeReserved(); err != nil {
		return err
	}
	for ino := uint32(inoLostFound); ino <= x.lastInode(); ino++ {
		if err := x.w.Err(x.ctx); err != nil {
			return err
		}
		x.place(&x.data, ino, &x.dataPl)
		if err := x.writeInode(ino, &x.dataPl); err != nil {
			return err
		}
	}
	return x.writeMeta(x.layout.blocks)
}

// writeReserved writes the blocks of the journal, the resize inode and the root.
func (x *writer) writeReserved() error {
	if x.journalBlocks > 0 {
		x.putJournal(x.buf)
		if err := x.writeBlock(x.journal.extents[0].start, x.buf); err != nil {
			return err
		}
		if err := x.writeTree(inoJournal, &x.journal); err != nil {
			return err
		}
	}
	x.putResizeBlock(x.buf)
	if err := x.writeBlock(x.resizeBlock, x.buf); err != nil {
		return err
	}
	return x.writeInode(inoRoot, &x.root)
}

// seek moves on to a place in a block, and writes the tables that lie before it.
func (x *writer) seek(block, off int64) error {
	if len(x.meta) > 0 && x.meta[0].start < block {
		if err := x.writeMeta(block); err != nil {
			return err
		}
	}
	return x.w.SkipTo(block*x.blockSize + off)
}

func (x *writer) writeBlock(block int64, b []byte) error {
	if err := x.seek(block, 0); err != nil {
		return err
	}
	_, err := x.w.Write(b)
	return err
}

// writeInode writes the blocks of an inode.
func (x *writer) writeInode(ino uint32, pl *placement) error {
	n, ok := x.node(ino)
	if pl.xattr != 0 {
		if err := x.writeAttrBlock(ino, n); err != nil {
			return err
		}
	}
	var err error
	switch {
	case !ok || n.IsDir():
		err = x.writeDir(ino, pl)
	case len(pl.extents) == 0 && n.Size() == 0:
	case n.UnixMode()&filetree.ModeType == filetree.ModeSymlink:
		clear(x.buf)
		copy(x.buf, n.Target())
		err = x.writeBlock(pl.extents[0].start, x.buf)
	default:
		err = x.writeFile(n, pl)
	}
	if err != nil {
		return err
	}
	return x.writeTree(ino, pl)
}

// writeFile copies the content of a regular file.
func (x *writer) writeFile(n filetree.Node, pl *placement) error {
	rest := pl.extents
	return n.Stream(func(r io.Reader, at filetree.Range) error {
		for at.Length > 0 {
			e := rest[0]
			in := at.Offset - int64(e.logical)*x.blockSize
			room := int64(e.length)*x.blockSize - in
			if room <= 0 {
				rest = rest[1:]
				continue
			}
			n := min(at.Length, room)
			if err := x.w.Err(x.ctx); err != nil {
				return err
			}
			if err := x.seek(e.start+in/x.blockSize, in%x.blockSize); err != nil {
				return err
			}
			if err := x.w.ReadN(r, n); err != nil {
				return err
			}
			at.Offset += n
			at.Length -= n
		}
		return nil
	})
}

// writeTree writes the blocks of an extent tree.
func (x *writer) writeTree(ino uint32, pl *placement) error {
	if len(pl.tree) == 0 {
		return nil
	}
	t := extentTree{pl.extents, pl.tree, extentsPerBlock(x.blockSize)}
	for i, block := range pl.tree {
		t.putBlock(x.buf, i, x.inodeSeed(ino))
		if err := x.writeBlock(block, x.buf); err != nil {
			return err
		}
	}
	return nil
}

// writeAttrBlock writes the block of attributes that an inode owns, and nothing
// where it shares another's.
func (x *writer) writeAttrBlock(ino uint32, n filetree.Node) error {
	b := x.xattrBlockOf(ino)
	if b.owner != ino {
		return nil
	}
	_, attrs, err := splitAttrs(n, x.blockSize)
	if err != nil {
		return err
	}
	putAttrBlock(x.buf, attrs)
	x.sealAttrBlock(x.buf, b.refs, b.start)
	return x.writeBlock(b.start, x.buf)
}

// blockCounter gives the blocks of a file one by one.
type blockCounter struct {
	extents []extent
	used    uint32 // blocks of the first
}

func (c *blockCounter) next() int64 {
	if c.used == c.extents[0].length {
		c.extents, c.used = c.extents[1:], 0
	}
	c.used++
	return c.extents[0].start + int64(c.used) - 1
}
