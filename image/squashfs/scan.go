package squashfs

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
)

// Limits of the format, but for maxBlocks: the list of a file's blocks, 4 bytes
// each, is in its inode, and who opens the file goes through it.
const (
	maxTime   = math.MaxUint32
	maxIDs    = math.MaxUint16
	maxInodes = math.MaxUint32 - 1
	maxBlocks = 1 << 26
)

// scan numbers the inodes, from 1, and refuses what cannot be held before any
// content is read. Numbers follow the tree and the names in it, not the order in
// which it was made: first the files of a directory, so that the entries of one
// differ little, then what is in its directories.
func (b *builder) scan() error {
	b.tree.Sort()
	b.inodeOf = make([]uint32, b.tree.Len())
	b.nodeOf = make([]uint32, 0, b.tree.Len())
	root := b.tree.Root()
	if err := b.number(root); err != nil {
		return err
	}
	if err := b.scanDir(root); err != nil {
		return err
	}
	b.refs = make([]metaRef, len(b.nodeOf))
	slices.Sort(b.sizes)
	for i := 1; i < len(b.sizes); i++ {
		if b.sizes[i] == b.sizes[i-1] {
			b.sameSize[b.sizes[i]] = true
		}
	}
	b.sizes = nil
	return nil
}

func (b *builder) scanDir(dir filetree.Node) error {
	for c := range dir.Children() {
		if n := c.Inode(); b.inode(n) == 0 {
			if err := b.number(n); err != nil {
				return err
			}
		}
	}
	for c := range dir.Children() {
		if c.IsDir() {
			if err := b.scanDir(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// inode returns the number of a node's inode, 0 where it has none yet.
func (b *builder) inode(n filetree.Node) uint32 { return b.inodeOf[n.Inode().ID()] }

// number gives a node the next number and checks it.
func (b *builder) number(n filetree.Node) error {
	if uint32(len(b.nodeOf)) == maxInodes {
		return fileError(n, fmt.Errorf("%w: more than %d inodes", ErrUnsupported, uint32(maxInodes)))
	}
	b.nodeOf = append(b.nodeOf, uint32(n.ID()))
	b.inodeOf[n.ID()] = uint32(len(b.nodeOf))
	if err := b.check(n); err != nil {
		return fileError(n, err)
	}
	if size := n.Size(); size > 0 {
		full, tail := size/b.blockSize, size%b.blockSize
		if b.packsTail(size) {
			b.tailsOf[tail] = min(b.tailsOf[tail]+1, 2)
			if full == 0 {
				return nil
			}
		}
		b.sizes = append(b.sizes, size)
	}
	return nil
}

// packsTail reports whether what a file of that size has behind its last whole
// block goes into a fragment.
func (b *builder) packsTail(size int64) bool {
	switch {
	case size%b.blockSize == 0 || b.tails == TailsNever:
		return false
	case b.tails == TailsAlways:
		return true
	}
	return size < b.blockSize
}

// check refuses what squashfs cannot hold, or lists it.
func (b *builder) check(n filetree.Node) error {
	if t := n.ModTime(); t.Unix() < 0 || t.Unix() > maxTime {
		if !b.drop {
			return fmt.Errorf("%w: modification time %s, want 1970 to 2106", ErrUnsupported, t.Format(time.RFC3339))
		}
		b.dropped = append(b.dropped, fmt.Sprintf("%s: modification time %s, made %s", n.Path(), t.Format(time.RFC3339),
			time.Unix(int64(modTime(n)), 0).UTC().Format(time.RFC3339)))
	}
	if blocks := n.Size() / b.blockSize; blocks >= maxBlocks {
		return fmt.Errorf("%w: size of %d bytes, want less than %d with blocks of %d", ErrUnsupported, n.Size(), maxBlocks*b.blockSize, b.blockSize)
	}
	for _, id := range []uint32{n.UID(), n.GID()} {
		if _, ok := b.idOf[id]; ok {
			continue
		}
		if len(b.ids) == maxIDs {
			return fmt.Errorf("%w: owner %d is the %dth user or group, want at most %d", ErrUnsupported, id, maxIDs+1, maxIDs)
		}
		b.idOf[id] = uint16(len(b.ids))
		b.ids = append(b.ids, id)
	}
	return b.scanXattrs(n)
}

// modTime returns the time of a node as an inode has it.
func modTime(n filetree.Node) uint32 {
	return uint32(max(0, min(maxTime, n.ModTime().Unix())))
}
