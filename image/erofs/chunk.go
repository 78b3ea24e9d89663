package erofs

import (
	"fmt"
	"math/bits"

	"github.com/drivebay/drivebay/image/filetree"
)

const (
	// maxChunkBits keeps a chunk's length within 32 bits, in which 32-bit kernels
	// reckon with it.
	maxChunkBits = 30
	// maxChunks bounds the table of a file, which is put together in memory.
	maxChunks = 4 << 20
)

// chunking is how a file with holes is cut into chunks, each of which is in one
// piece on the volume or is a hole.
type chunking struct {
	bits   uint8 // of the length of a chunk, beyond the block size's
	count  int64 // of the file's chunks
	blocks int64 // of those that hold data
}

// run is a row of chunks.
type run struct{ start, end int64 }

// chunkRuns yields the rows of chunks of unit bytes that hold data, in order.
func chunkRuns(n filetree.Node, unit int64) func(yield func(run) bool) {
	return func(yield func(run) bool) {
		var last run
		for d := range n.Data() {
			r := run{d.Offset / unit, (d.End()-1)/unit + 1}
			if last.end > 0 && r.start <= last.end {
				last.end = r.end // it begins in the chunk that the last one ends in, or behind it
				continue
			}
			if last.end > 0 && !yield(last) {
				return
			}
			last = r
		}
		if last.end > 0 {
			yield(last)
		}
	}
}

// hasHoles reports whether a regular file is not all data.
func hasHoles(n filetree.Node) bool {
	left := n.Size()
	for d := range n.Data() {
		left -= d.Length
	}
	return left > 0
}

// chunk cuts a file with holes so that the table and the data take as little as
// possible. It is not ok where that does not save a block of the bytes that the file
// takes without, flat: Linux before 5.15 cannot read chunks.
func (p *plan) chunk(n filetree.Node, flat int64) (best chunking, ok bool, err error) {
	size, base := n.Size(), uint8(bits.TrailingZeros64(uint64(p.blockSize)))
	if most := int64(maxChunks) << maxChunkBits; size > most {
		return best, false, fmt.Errorf("%w: size of %d bytes, want at most %d", ErrUnsupported, size, most)
	}
	least := flat - p.blockSize + 1
	for extra := range maxChunkBits - base + 1 {
		unit := p.blockSize << extra
		c := chunking{bits: extra, count: ceilDiv(size, unit)}
		if c.count > maxChunks {
			continue
		}
		for r := range chunkRuns(n, unit) {
			c.blocks += (r.end - r.start) << extra
			if r.end == c.count { // the last chunk ends with the file
				c.blocks -= c.count<<extra - ceilDiv(size, p.blockSize)
			}
		}
		if cost := c.blocks*p.blockSize + c.count*chunkEntryLen; cost < least {
			best, least, ok = c, cost, true
		}
		if c.count == 1 {
			break
		}
	}
	return best, ok, nil
}

// putChunks writes the table of a file whose data begins at block start.
func (p *plan) putChunks(b []byte, n filetree.Node, c chunking, start int64) {
	for i := range c.count {
		le.PutUint32(b[i*chunkEntryLen:], nullBlock)
	}
	for r := range chunkRuns(n, p.blockSize<<c.bits) {
		for i := r.start; i < r.end; i++ {
			le.PutUint32(b[i*chunkEntryLen:], uint32(start))
			start += 1 << c.bits
		}
	}
}

// mapping says where on the volume the data of a file goes. It is asked for ranges in
// order.
type mapping struct {
	blockSize int64
	unit      int64 // the length of a chunk in bytes, 0 where there are none
	block     int64 // where the last chunk begins, or the content
	last      int64 // the number of that chunk
}

func newMapping(s *shape, start, blockSize int64) mapping {
	if s.layout != layoutChunks {
		return mapping{blockSize: blockSize, block: start}
	}
	return mapping{blockSize, blockSize << s.chunks.bits, start - 1<<s.chunks.bits, -1}
}

// place returns the offset of a range on the volume. Chunks with data in them follow
// each other there, so that all of a range is in one piece.
func (m *mapping) place(r filetree.Range) int64 {
	if m.unit == 0 {
		return m.block*m.blockSize + r.Offset
	}
	first, last := r.Offset/m.unit, (r.End()-1)/m.unit
	if first != m.last {
		m.block += m.unit / m.blockSize
	}
	pos := m.block*m.blockSize + r.Offset%m.unit
	m.block += (last - first) * m.unit / m.blockSize
	m.last = last
	return pos
}

func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}
