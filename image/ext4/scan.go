package ext4

import (
	"fmt"

	"github.com/drivebay/drivebay/image/filetree"
)

// unnumbered is the inode of a node that has none yet.
const unnumbered = 0

// scan numbers the inodes and adds up what they need. Numbers follow the tree
// and the names in it, not the order in which it was made: first the files of a
// directory, which are looked at together, then what is in its directories.
func (p *plan) scan() error {
	p.tree.Sort()
	p.inodeOf = make([]uint32, p.tree.Len())
	p.nodeOf = make([]uint32, 1, p.tree.Len()+1)
	p.nodeOf[0] = lostFoundID
	root := p.tree.Root()
	p.inodeOf[root.ID()] = inoRoot
	if n, ok := findLostFound(root); ok {
		if !n.IsDir() {
			return fileError(n, fmt.Errorf("%w: it is not a directory, which e2fsck wants it to be", ErrUnsupported))
		}
		p.nodeOf[0] = uint32(n.ID())
		p.inodeOf[n.ID()] = inoLostFound
	}
	if err := p.check(inoRoot, root); err != nil {
		return err
	}
	if n, ok := p.node(inoLostFound); ok {
		if err := p.check(inoLostFound, n); err != nil {
			return err
		}
	}
	if err := p.scanDir(inoRoot, root); err != nil {
		return err
	}
	if n, ok := p.node(inoLostFound); ok {
		return p.scanDir(inoLostFound, n)
	}
	p.setDirLen(inoLostFound, longDir{blocks: uint32(lostFoundLen(p.blockSize))})
	return nil
}

// findLostFound returns the tree's own lost+found. A Lookup would make an index of
// all names.
func findLostFound(root filetree.Node) (filetree.Node, bool) {
	for n := range root.Children() {
		if n.Name() == lostFound {
			return n, true
		}
	}
	return filetree.Node{}, false
}

// scanDir numbers what is in a directory.
func (p *plan) scanDir(ino uint32, dir filetree.Node) error {
	from := p.lastInode() + 1
	used, entries := dotsLen, 0
	var buf [filetree.MaxName]byte
	for c := range dir.Children() {
		used += direntLen(len(c.AppendName(buf[:0])))
		entries++
		n := c.Inode()
		if p.inodeOf[n.ID()] != unnumbered {
			continue
		}
		p.nodeOf = append(p.nodeOf, uint32(n.ID()))
		p.inodeOf[n.ID()] = p.lastInode()
		if err := p.check(p.lastInode(), n); err != nil {
			return err
		}
	}
	to := p.lastInode()
	if err := p.measureDir(ino, dir, entries, used); err != nil {
		return err
	}
	for sub := from; sub <= to; sub++ {
		if n, _ := p.node(sub); n.IsDir() {
			if err := p.scanDir(sub, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureDir works out the length of a directory with so many entries, and "."
// and "..", of so many bytes together.
func (p *plan) measureDir(ino uint32, dir filetree.Node, entries, used int) error {
	if p.makesLostFound(ino) {
		used += direntLen(len(lostFound))
		entries++
	}
	if used <= int(p.blockSize)-dirTail {
		d := longDir{blocks: 1}
		if ino == inoLostFound {
			d.blocks = uint32(lostFoundLen(p.blockSize))
		}
		p.setDirLen(ino, d)
		return nil
	}
	if err := p.indexDir(&p.index, ino, dir, entries); err != nil {
		return err
	}
	p.setDirLen(ino, longDir{blocks: uint32(p.index.blocks()), entries: uint32(entries), indexed: true})
	return nil
}

func (p *plan) setDirLen(ino uint32, d longDir) {
	if d.blocks > 1 {
		p.longDirs[ino] = d
	}
	p.dataBlocks += int64(d.blocks)
}

// check refuses what ext4 cannot hold, and adds up the blocks of what is not a
// directory.
func (p *plan) check(ino uint32, n filetree.Node) error {
	if err := p.checkNode(n); err != nil {
		return fileError(n, err)
	}
	if len(n.Xattrs()) > 0 {
		if err := p.scanXattrs(ino, n); err != nil {
			return err
		}
	}
	for r := range blockRanges(n, p.blockSize) {
		p.dataBlocks += r.len()
	}
	return nil
}

func (p *plan) checkNode(n filetree.Node) error {
	err := checkTime("modification time", n.ModTime())
	if err == nil {
		err = checkTime("access time", n.AccessTime())
	}
	if err == nil {
		err = checkTime("change time", n.ChangeTime())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if links := n.Links(); links > maxLinks {
		return fmt.Errorf("%w: %d hard links, want at most %d", ErrUnsupported, links, maxLinks)
	}
	if most := maxBlocks * p.blockSize; n.Size() > most {
		return fmt.Errorf("%w: size of %d bytes, want at most %d with blocks of %d", ErrUnsupported, n.Size(), most, p.blockSize)
	}
	if t := n.Target(); int64(len(t)) >= p.blockSize {
		return fmt.Errorf("%w: symbolic link's target of %d bytes, want at most %d with blocks of %d",
			ErrUnsupported, len(t), p.blockSize-1, p.blockSize)
	}
	return nil
}
