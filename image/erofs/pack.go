package erofs

import (
	"context"
	"fmt"
	"slices"
)

// groupLen is from how many bytes of metadata on a group is complete: few enough to
// be put together in memory, and enough to be read and written in one go.
const groupLen = 1 << 20

// group is a row of inodes whose metadata is in one piece. It follows the blocks of
// their contents, as these are written first: a file's tail is only known when all
// of the file has been read, once. The first group is the other way round, since the
// superblock in it and the root have to be at the volume's start. None of its regular
// files has any blocks.
type group struct {
	first  int   // the number of its first inode
	meta   int64 // the block in which its metadata begins
	blocks int64 // of its metadata
	body   int64 // the block in which its contents begin
}

// placeAll gives everything its place.
func (p *plan) placeAll(ctx context.Context) error {
	k := newPacker(int(p.blockSize))
	k.reserve(superOffset + superLen)
	var bodies int64
	for i, id := range p.nodeOf {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n := p.node(i)
		s, err := p.shape(n)
		if err != nil {
			return err
		}
		if int64(k.blocks)*p.blockSize >= groupLen || len(p.groups) == 0 && s.blocks > 0 && n.Mode().IsRegular() {
			p.closeGroup(k, i, bodies)
			k, bodies = newPacker(int(p.blockSize)), 0
		}
		if s.twin != nil && s.twin.first == id {
			s.twin.start = p.blocks + bodies // it is in no first group: see there
		}
		p.nidOf[id] = uint64(k.place(s.metaLen()) / slotLen)
		bodies += s.blocks
		p.chunked = p.chunked || s.layout == layoutChunks
		if used := p.blocks + bodies + int64(k.blocks) + p.sharedBlocks(); used > maxBlocks {
			return fileError(n, fmt.Errorf("%w: it ends in block %d, want at most %d of %d bytes", ErrUnsupported, used, int64(maxBlocks), p.blockSize))
		}
	}
	p.closeGroup(k, len(p.nodeOf), bodies)
	return nil
}

// closeGroup gives a group its place, of which all inodes before end are that are in
// none yet.
func (p *plan) closeGroup(k *packer, end int, bodies int64) {
	g := group{blocks: int64(k.blocks), first: p.placed}
	if len(p.groups) == 0 {
		g.body = g.blocks + p.sharedBlocks()
		p.blocks = g.body + bodies
	} else {
		g.body = p.blocks
		g.meta = g.body + bodies
		p.blocks = g.meta + g.blocks
	}
	for _, id := range p.nodeOf[g.first:end] {
		p.nidOf[id] += uint64(g.meta * p.blockSize / slotLen)
	}
	p.groups = append(p.groups, g)
	p.placed = end
}

// end returns the number of the inode behind a group's last.
func (p *plan) end(group int) int {
	if group+1 < len(p.groups) {
		return p.groups[group+1].first
	}
	return len(p.nodeOf)
}

// sharedBlocks returns how many blocks the shared attributes take, which follow the
// first group's metadata.
func (p *plan) sharedBlocks() int64 { return ceilDiv(p.sharing.size, p.blockSize) }

// maxOpen is how many blocks that are not full a packer looks at.
const maxOpen = 64

// packer puts inodes, with what is behind them, into blocks. None is in two blocks,
// but for those that are longer than one.
type packer struct {
	blockSize int
	blocks    int // in use
	open      []openBlock
}

// openBlock is a block in which there is still room.
type openBlock struct{ index, used int }

func newPacker(blockSize int) *packer { return &packer{blockSize: blockSize} }

// reserve leaves n bytes free at the start, before anything is placed.
func (k *packer) reserve(n int) { k.placeNew(n) }

// place returns the offset of n bytes: in the open block that they fill best, or in a
// new one.
func (k *packer) place(n int) int {
	if n > k.blockSize {
		return k.placeNew(n)
	}
	best := -1
	for i, o := range k.open {
		if o.used+n <= k.blockSize && (best < 0 || o.used > k.open[best].used) {
			best = i
		}
	}
	if best < 0 {
		return k.placeNew(n)
	}
	o := &k.open[best]
	at := o.index*k.blockSize + o.used
	o.used = alignSlot(o.used + n)
	if o.used > k.blockSize-compactLen {
		k.open = slices.Delete(k.open, best, best+1)
	}
	return at
}

// placeNew returns the offset of n bytes in new blocks, the last of which is open.
func (k *packer) placeNew(n int) int {
	at := k.blocks * k.blockSize
	k.blocks += (n + k.blockSize - 1) / k.blockSize
	used := alignSlot((n-1)%k.blockSize + 1)
	if used > k.blockSize-compactLen {
		return at
	}
	if len(k.open) == maxOpen {
		fullest := 0
		for i, o := range k.open {
			if o.used > k.open[fullest].used {
				fullest = i
			}
		}
		k.open = slices.Delete(k.open, fullest, fullest+1)
	}
	k.open = append(k.open, openBlock{k.blocks - 1, used})
	return at
}

func alignSlot(n int) int { return (n + slotLen - 1) &^ (slotLen - 1) }
