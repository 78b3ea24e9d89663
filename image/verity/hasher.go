package verity

import (
	"fmt"
	"runtime"
	"sync"
)

// minShare is how many bytes a CPU is given at least: less takes longer to hand
// out than to hash.
const minShare = 64 << 10

// Hasher makes the hash tree of data that it is shown in order, such as a volume
// that is being written. It is a volume.Sink: what no call covers is zero, and runs
// of zeros cost next to nothing, however long. It hashes on all CPUs, and keeps
// what it makes in memory up to 4 MiB for each level of the tree, beyond that in
// temporary files. It is for one goroutine.
type Hasher struct {
	params  Params
	geo     geometry
	size    int64
	off     int64  // of the data, up to where it is known
	partial []byte // the data block that has been begun
	block   []byte // for partial
	levels  []*level
	// zeros are the digests of what is nothing but zeros: of a data block, and for
	// each level of a hash block of such digests.
	zeros   [][]byte
	root    []byte
	sums    []*summer // for as many CPUs
	digests []byte    // of blocks that are hashed at once
}

// NewHasher returns a Hasher of data of size bytes, a multiple of the data block
// size. Temporary files are made in dir, "" being [os.TempDir]. It has to be closed
// by [Hasher.Close], or by the tree's once there is one.
func NewHasher(p Params, size int64, dir string) (*Hasher, error) {
	p = p.withDefaults()
	geo, err := p.geometry(size)
	if err != nil {
		return nil, err
	}
	h := &Hasher{params: p, geo: geo, size: size, block: make([]byte, p.DataBlockSize)}
	for range runtime.GOMAXPROCS(0) {
		h.sums = append(h.sums, p.newSummer())
	}
	zero := h.sums[0].sum(nil, h.block)
	for range geo.levels {
		h.zeros = append(h.zeros, zero)
		l := newLevel(p.HashBlockSize, zero, dir)
		h.levels = append(h.levels, l)
		zero = h.sums[0].sum(nil, l.zeroBlock)
	}
	h.zeros = append(h.zeros, zero)
	return h, nil
}

// WriteAt takes the data from off on, which is not before the end of what has been
// taken. It does not keep p.
func (h *Hasher) WriteAt(p []byte, off int64) (int, error) {
	if off < h.off {
		return 0, fmt.Errorf("verity: going back from offset %d to %d", h.off, off)
	}
	if int64(len(p)) > h.size-off {
		return 0, fmt.Errorf("verity: %d bytes at offset %d exceed the data's %d", len(p), off, h.size)
	}
	if err := h.skipTo(off); err != nil {
		return 0, err
	}
	n := len(p)
	if len(h.partial) > 0 {
		k := copy(h.block[len(h.partial):], p)
		if err := h.extend(k); err != nil {
			return 0, err
		}
		p = p[k:]
	}
	whole := len(p) - len(p)%h.params.DataBlockSize
	if err := h.hash(p[:whole]); err != nil {
		return 0, err
	}
	if rest := p[whole:]; len(rest) > 0 {
		h.off += int64(copy(h.block, rest))
		h.partial = h.block[:len(rest)]
	}
	return n, nil
}

// Tree returns the hash tree of the data, of which the rest is zeros. It ends the
// Hasher, which the tree takes over.
func (h *Hasher) Tree() (*Tree, error) {
	if err := h.skipTo(h.size); err != nil {
		return nil, err
	}
	for n, l := range h.levels {
		if l.filled == 0 {
			continue
		}
		clear(l.block[l.filled:])
		if err := h.finish(n); err != nil {
			return nil, err
		}
	}
	return &Tree{
		superblock: Superblock{Params: h.params, DataBlocks: h.geo.dataBlocks},
		size:       h.geo.size, root: h.root, levels: h.levels,
	}, nil
}

// Close gives up what has been hashed. It may be called again.
func (h *Hasher) Close() error { return closeLevels(h.levels) }

// extend counts n more bytes of the data block that has been begun.
func (h *Hasher) extend(n int) error {
	h.off += int64(n)
	h.partial = h.block[:len(h.partial)+n]
	if len(h.partial) < len(h.block) {
		return nil
	}
	h.partial = nil
	h.digests = h.sums[0].sum(h.digests[:0], h.block)
	return h.add(0, h.digests)
}

// skipTo takes zeros up to an offset.
func (h *Hasher) skipTo(off int64) error {
	block := int64(h.params.DataBlockSize)
	if len(h.partial) > 0 {
		n := min(block-int64(len(h.partial)), off-h.off)
		clear(h.block[len(h.partial):][:n])
		if err := h.extend(int(n)); err != nil {
			return err
		}
	}
	if n := (off - h.off) / block; n > 0 {
		h.off += n * block
		if err := h.addZeros(0, n); err != nil {
			return err
		}
	}
	if n := off - h.off; n > 0 {
		clear(h.block[:n])
		h.partial = h.block[:n]
		h.off = off
	}
	return nil
}

// hash takes whole data blocks, and shares them among the CPUs.
func (h *Hasher) hash(p []byte) error {
	block, slot := h.params.DataBlockSize, h.params.slot()
	blocks := len(p) / block
	if need := blocks * slot; cap(h.digests) < need {
		h.digests = make([]byte, need)
	}
	digests := h.digests[:blocks*slot]
	workers := max(1, min(len(h.sums), len(p)/minShare))
	share := (blocks + workers - 1) / workers
	var wg sync.WaitGroup
	for w := range workers {
		first, last := w*share, min((w+1)*share, blocks)
		work := func() {
			for i := first; i < last; i++ {
				h.sums[w].sum(digests[i*slot:i*slot], p[i*block:(i+1)*block])
			}
		}
		if w == workers-1 {
			work() // there is nothing else for this goroutine to do
		} else {
			wg.Go(work)
		}
	}
	wg.Wait()
	h.off += int64(len(p))
	return h.add(0, digests)
}

// add adds digests to a level, or the one above all levels, the root.
func (h *Hasher) add(n int, digests []byte) error {
	if n == len(h.levels) {
		h.root = append(h.root, digests...)
		return nil
	}
	l := h.levels[n]
	for len(digests) > 0 {
		k := copy(l.block[l.filled:], digests)
		l.filled += k
		digests = digests[k:]
		if l.filled == len(l.block) {
			if err := h.finish(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// addZeros adds count times the digest of nothing but zeros to a level. Of whole
// blocks of these all is known, and so on up the tree.
func (h *Hasher) addZeros(n int, count int64) error {
	one := func() error {
		count--
		return h.add(n, h.zeros[n])
	}
	if n == len(h.levels) {
		return one()
	}
	l := h.levels[n]
	for count > 0 && l.filled > 0 {
		if err := one(); err != nil {
			return err
		}
	}
	if whole := count / h.geo.fanout; whole > 0 {
		count -= whole * h.geo.fanout
		if err := l.repeat(whole); err != nil {
			return err
		}
		if err := h.addZeros(n+1, whole); err != nil {
			return err
		}
	}
	for count > 0 {
		if err := one(); err != nil {
			return err
		}
	}
	return nil
}

// finish keeps a level's current hash block, and adds its digest to the level above.
func (h *Hasher) finish(n int) error {
	l := h.levels[n]
	l.filled = 0
	if err := l.keep(l.block); err != nil {
		return err
	}
	return h.add(n+1, h.sums[0].sum(nil, l.block))
}
