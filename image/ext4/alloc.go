package ext4

import "github.com/drivebay/drivebay/image/filetree"

// allocator hands out the free blocks of a layout, lowest first. All blocks
// below next that the layout has free are in use, all others are not: that is
// the whole state, so that a writer can go through the same placements again
// instead of remembering them.
type allocator struct {
	free    []run // from the one that next is in
	next    int64
	missing int64 // blocks that were asked for in vain
}

func newAllocator(l *layout) allocator { return allocator{free: l.free} }

// take returns a row of blocks, as long as there is one but at most n.
func (a *allocator) take(n int64) run {
	for len(a.free) > 0 {
		r := a.free[0]
		r.start = max(r.start, a.next)
		if r.len() > 0 {
			r.end = min(r.end, r.start+n)
			a.next = r.end
			return r
		}
		a.free = a.free[1:]
	}
	a.missing += n
	return run{0, n}
}

// placement is where the blocks of an inode are.
type placement struct {
	xattr   int64    // the block of extended attributes, 0 for none
	extents []extent // the content
	tree    []int64  // blocks of the extent tree, leaves first
	blocks  int64    // all of these together
}

func (pl *placement) reset() {
	*pl = placement{extents: pl.extents[:0], tree: pl.tree[:0]}
}

// content gives n blocks of content from the file's block logical on.
func (pl *placement) content(a *allocator, logical, n int64) {
	pl.blocks += n
	for n > 0 {
		r := a.take(min(n, maxExtent))
		e := extent{logical: uint32(logical), length: uint32(r.len()), start: r.start}
		if k := len(pl.extents) - 1; k < 0 || !pl.extents[k].join(e) {
			pl.extents = append(pl.extents, e)
		}
		logical += r.len()
		n -= r.len()
	}
}

// finish gives the blocks of the extent tree, once all content has its own.
func (pl *placement) finish(a *allocator, blockSize int64) {
	for range treeBlocks(len(pl.extents), extentsPerBlock(blockSize)) {
		pl.tree = append(pl.tree, a.take(1).start)
		pl.blocks++
	}
}

// place gives the inode ino, from 11 on, its blocks.
func (p *plan) place(a *allocator, ino uint32, pl *placement) {
	pl.reset()
	n, ok := p.node(ino)
	if ok && len(n.Xattrs()) > 0 {
		p.placeXattrs(a, ino, pl)
	}
	if dir := !ok || n.IsDir(); dir {
		pl.content(a, 0, p.dirLen(ino))
	} else {
		for r := range blockRanges(n, p.layout.blockSize) {
			pl.content(a, r.start, r.len())
		}
	}
	pl.finish(a, p.layout.blockSize)
}

// blockRanges yields the rows of a file's blocks that hold data, in order.
func blockRanges(n filetree.Node, blockSize int64) func(yield func(run) bool) {
	return func(yield func(run) bool) {
		switch n.UnixMode() & filetree.ModeType {
		case filetree.ModeRegular:
		case filetree.ModeSymlink:
			if t := n.Target(); len(t) > maxFastTarget {
				yield(run{0, 1})
			}
			return
		default:
			return
		}
		var last run
		for d := range n.Data() {
			r := run{d.Offset / blockSize, ceilDiv(d.End(), blockSize)}
			if r.start <= last.end && last.end > 0 {
				// It begins in the block that the last one ends in, or
				// right behind.
				last.end = r.end
				continue
			}
			if last.len() > 0 && !yield(last) {
				return
			}
			last = r
		}
		if last.len() > 0 {
			yield(last)
		}
	}
}
