package ext4

import "github.com/drivebay/drivebay/image/filetree"

// writeMeta writes the tables that lie before a block.
func (x *writer) writeMeta(before int64) error {
	for len(x.meta) > 0 && x.meta[0].start < before {
		m := x.meta[0]
		x.meta = x.meta[1:]
		if err := x.writeMetaRun(m); err != nil {
			return err
		}
	}
	return nil
}

func (x *writer) writeMetaRun(m metaRun) error {
	if err := x.w.Err(x.ctx); err != nil {
		return err
	}
	g := int64(m.group)
	switch m.kind {
	case metaSuper:
		return x.writeSuper(m)
	case metaBlockBitmap:
		if x.isBlockUninit(g) {
			return nil
		}
		x.putBlockBitmap(x.tableBuf(), g)
	case metaInodeBitmap:
		if x.usedInodes(g) == 0 {
			return nil
		}
		x.putInodeBitmap(x.tableBuf(), g)
	case metaInodeTable:
		return x.writeInodeTable(m)
	}
	return x.writeTable(m.start)
}

// tableBuf returns a block's buffer for tables, which are written while x.buf
// waits for its place behind them.
func (x *writer) tableBuf() []byte {
	if x.table == nil {
		x.table = make([]byte, x.blockSize)
	}
	return x.table
}

// writeTable writes the buffer of tables to a block.
func (x *writer) writeTable(block int64) error {
	if err := x.w.SkipTo(block * x.blockSize); err != nil {
		return err
	}
	_, err := x.w.Write(x.table)
	return err
}

// writeSuper writes a copy of the superblock and of the descriptors. The first
// superblock leaves room for a boot sector.
func (x *writer) writeSuper(m metaRun) error {
	b := x.tableBuf()
	clear(b)
	if m.group == 0 && x.blockSize > superblockOffset {
		x.sb.put(b[superblockOffset:], 0)
	} else {
		x.sb.put(b, m.group)
	}
	if err := x.writeTable(m.start); err != nil {
		return err
	}
	if _, err := x.w.Write(x.descs); err != nil {
		return err
	}
	if m.group != 0 {
		return nil
	}
	backups := x.layout.backups()
	if len(backups) == 0 {
		return nil
	}
	for i := range x.layout.reservedGDT {
		x.layout.putReservedBlock(b, i, backups)
		if _, err := x.w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// writeInodeTable writes the used part of a group's inode table.
func (x *writer) writeInodeTable(m metaRun) error {
	used := x.usedInodes(int64(m.group))
	if used == 0 {
		return nil
	}
	if err := x.w.SkipTo(m.start * x.blockSize); err != nil {
		return err
	}
	var b [inodeSize]byte
	first := uint32(int64(m.group)*x.layout.inodesPerGroup) + 1
	for ino := first; ino < first+uint32(used); ino++ {
		clear(b[:])
		if err := x.putInode(b[:], ino); err != nil {
			return err
		}
		if _, err := x.w.Write(b[:]); err != nil {
			return err
		}
	}
	return nil
}

// putInode fills an inode's place in the table. Those from 11 on have to be
// asked for in order.
func (x *writer) putInode(b []byte, ino uint32) error {
	var i inode
	n, ok := x.node(ino)
	switch {
	case ino == inoRoot:
		i = x.nodeInode(ino, n, &x.root)
	case ino == inoResize:
		i = x.resizeInode()
	case ino == inoJournal && x.journalBlocks > 0:
		i = x.journalInode()
	case ino < inoLostFound:
		return nil // reserved and not in use
	default:
		x.place(&x.inodes, ino, &x.inodePl)
		if ok {
			i = x.nodeInode(ino, n, &x.inodePl)
		} else {
			i = x.newInode(filetree.ModeDir|0o700, x.dirLen(ino)*x.blockSize, &x.inodePl)
			i.LinksCount = 2
			i.setTree(&x.inodePl, x.blockSize)
		}
	}
	if ino == inoRoot {
		x.linkLostFound(&i)
	}
	i.put(b)
	if ok && len(n.Xattrs()) > 0 {
		if err := putInodeAttrs(b, n, x.blockSize); err != nil {
			return err
		}
	}
	sealInode(b, x.inodeSeed(ino))
	return nil
}

// linkLostFound counts the ".." of a lost+found that the tree does not have.
func (x *writer) linkLostFound(root *inode) {
	if _, ok := x.node(inoLostFound); !ok && root.LinksCount > 1 {
		root.LinksCount++
	}
}
