package nvmetest

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// Media is where a namespace's data lies: a file, or anything like one.
type Media interface {
	io.ReaderAt
	io.WriterAt
}

// memory is Media that takes memory only for what was written, and reads as
// zeros elsewhere.
type memory struct {
	chunks map[int64]*[chunkSize]byte
	blank  *[chunkSize]byte // what was not written reads as; nil is zeros
}

const chunkSize = 64 << 10

func newMemory() *memory { return &memory{chunks: make(map[int64]*[chunkSize]byte)} }

// ReadAt implements io.ReaderAt. It never fails.
func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		part := p[n:min(len(p), n+int(chunkSize-off%chunkSize))]
		if c := m.chunks[off/chunkSize]; c != nil {
			copy(part, c[off%chunkSize:])
		} else if m.blank != nil {
			copy(part, m.blank[off%chunkSize:])
		} else {
			clear(part)
		}
		n, off = n+len(part), off+int64(len(part))
	}
	return len(p), nil
}

// WriteAt implements io.WriterAt. It never fails.
func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		part := p[n:min(len(p), n+int(chunkSize-off%chunkSize))]
		c := m.chunks[off/chunkSize]
		if c == nil {
			c = new([chunkSize]byte)
			if m.blank != nil {
				*c = *m.blank
			}
			m.chunks[off/chunkSize] = c
		}
		copy(c[off%chunkSize:], part)
		n, off = n+len(part), off+int64(len(part))
	}
	return len(p), nil
}

// discard forgets a range, which must not be read before it is written again.
func (m *memory) discard(off, size int64) {
	if size/chunkSize > int64(len(m.chunks)) {
		for i := range m.chunks {
			if i*chunkSize >= off && (i+1)*chunkSize <= off+size {
				delete(m.chunks, i)
			}
		}
		return
	}
	for i := (off + chunkSize - 1) / chunkSize; (i+1)*chunkSize <= off+size; i++ {
		delete(m.chunks, i)
	}
}

// forget lets everything read as a pattern.
func (m *memory) forget(pattern uint32) {
	clear(m.chunks)
	m.blank = nil
	if pattern != 0 {
		m.blank = new([chunkSize]byte)
		fillPattern(m.blank[:], pattern)
	}
}

// fillPattern fills whole dwords with a pattern.
func fillPattern(b []byte, pattern uint32) {
	for i := 0; i < len(b); i += 4 {
		binary.LittleEndian.PutUint32(b[i:], pattern)
	}
}

// blockSet is a set of logical blocks. It holds those that are in it or, if it is
// inverted, those that are not: so that all blocks of a large namespace take no
// room.
type blockSet struct {
	inverted bool
	words    map[uint64]uint64 // 64 blocks each
}

// fill lets the set have all blocks, or none.
func (s *blockSet) fill(all bool) {
	s.inverted = all
	clear(s.words)
}

// add puts n blocks from lba on into the set.
func (s *blockSet) add(lba, n uint64) { s.put(lba, n, true) }

// remove takes n blocks from lba on out of the set.
func (s *blockSet) remove(lba, n uint64) { s.put(lba, n, false) }

func (s *blockSet) put(lba, n uint64, in bool) {
	if in == s.inverted {
		s.unmark(lba, n)
		return
	}
	if s.words == nil {
		s.words = make(map[uint64]uint64)
	}
	for n > 0 {
		word, mask, step := blockWord(lba, n)
		s.words[word] |= mask
		lba, n = lba+step, n-step
	}
}

// unmark clears bits. Where there are fewer words than the range has, it looks at
// those.
func (s *blockSet) unmark(lba, n uint64) {
	if n/64 > uint64(len(s.words)) {
		for word := range s.words {
			first := max(word*64, lba)
			if end := min(word*64+64, lba+n); first < end {
				s.unmark(first, end-first)
			}
		}
		return
	}
	for n > 0 {
		word, mask, step := blockWord(lba, n)
		if v, ok := s.words[word]; ok {
			if v &^= mask; v == 0 {
				delete(s.words, word)
			} else {
				s.words[word] = v
			}
		}
		lba, n = lba+step, n-step
	}
}

// first returns the first of n blocks from lba on that is in the set.
func (s *blockSet) first(lba, n uint64) (uint64, bool) { return s.find(lba, n, s.inverted) }

// firstMissing returns the first of n blocks from lba on that is not in the set.
func (s *blockSet) firstMissing(lba, n uint64) (uint64, bool) { return s.find(lba, n, !s.inverted) }

// find returns the first of n blocks whose bit is set, or clear.
func (s *blockSet) find(lba, n uint64, clear bool) (uint64, bool) {
	if !clear && n/64 > uint64(len(s.words)) {
		return s.findMarked(lba, n)
	}
	for n > 0 {
		word, mask, step := blockWord(lba, n)
		v := s.words[word]
		if clear {
			v = ^v
		}
		if v &= mask; v != 0 {
			return word*64 + uint64(bits.TrailingZeros64(v)), true
		}
		lba, n = lba+step, n-step
	}
	return 0, false
}

// findMarked is find for a bit that is set, where there are few words.
func (s *blockSet) findMarked(lba, n uint64) (found uint64, ok bool) {
	for word, v := range s.words {
		first := max(word*64, lba)
		end := min(word*64+64, lba+n)
		if first >= end || ok && first > found {
			continue
		}
		_, mask, _ := blockWord(first, end-first)
		if v &= mask; v != 0 {
			if at := word*64 + uint64(bits.TrailingZeros64(v)); !ok || at < found {
				found, ok = at, true
			}
		}
	}
	return found, ok
}

// count returns how many of the first n blocks are in the set. None is beyond.
func (s *blockSet) count(n uint64) uint64 {
	marked := uint64(0)
	for _, v := range s.words {
		marked += uint64(bits.OnesCount64(v))
	}
	if s.inverted {
		return n - marked
	}
	return marked
}

// blockWord returns the word that lba lies in, the bits of the n blocks that are
// in the same word, and how many those are.
func blockWord(lba, n uint64) (word, mask, step uint64) {
	step = min(n, 64-lba%64)
	return lba / 64, (1<<step - 1) << (lba % 64), step
}
