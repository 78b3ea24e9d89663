package nvmetest

import (
	"encoding/binary"
	"io"
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

// zero lets a range read as zeros.
func (m *memory) zero(off, size int64) {
	if m.blank == nil && size/chunkSize > int64(len(m.chunks)) {
		for i, c := range m.chunks {
			from, to := max(off-i*chunkSize, 0), min(off+size-i*chunkSize, chunkSize)
			if from < to {
				clear(c[from:to])
			}
		}
		return
	}
	for size > 0 {
		n := min(size, chunkSize-off%chunkSize)
		if m.blank != nil {
			_, _ = m.WriteAt(make([]byte, n), off)
		} else if n == chunkSize {
			delete(m.chunks, off/chunkSize)
		} else if c := m.chunks[off/chunkSize]; c != nil {
			clear(c[off%chunkSize:][:n])
		}
		off, size = off+n, size-n
	}
}

// forget lets everything read as a pattern.
func (m *memory) forget(pattern uint32) {
	clear(m.chunks)
	m.blank = nil
	if pattern != 0 {
		m.blank = new([chunkSize]byte)
		fill(m.blank[:], pattern)
	}
}

// fill fills whole dwords with a pattern.
func fill(b []byte, pattern uint32) {
	for i := 0; i < len(b); i += 4 {
		binary.LittleEndian.PutUint32(b[i:], pattern)
	}
}

// blockSet is a set of logical blocks, of which those that are near to one
// another share a word.
type blockSet map[uint64]uint64

// add puts n blocks from lba on into the set.
func (s blockSet) add(lba, n uint64) {
	for n > 0 {
		word, mask, step := blockWord(lba, n)
		s[word] |= mask
		lba, n = lba+step, n-step
	}
}

// remove takes n blocks from lba on out of the set.
func (s blockSet) remove(lba, n uint64) {
	if n/64 > uint64(len(s)) {
		for word := range s {
			first := max(word*64, lba)
			if end := min(word*64+64, lba+n); first < end {
				s.remove(first, end-first)
			}
		}
		return
	}
	for n > 0 {
		word, mask, step := blockWord(lba, n)
		if v, ok := s[word]; ok {
			if v &^= mask; v == 0 {
				delete(s, word)
			} else {
				s[word] = v
			}
		}
		lba, n = lba+step, n-step
	}
}

// first returns the first of n blocks from lba on that is in the set.
func (s blockSet) first(lba, n uint64) (uint64, bool) {
	if len(s) == 0 {
		return 0, false
	}
	for n > 0 {
		word, mask, step := blockWord(lba, n)
		if s[word]&mask != 0 {
			for i := range step {
				if s[word]&(1<<((lba+i)%64)) != 0 {
					return lba + i, true
				}
			}
		}
		lba, n = lba+step, n-step
	}
	return 0, false
}

// firstMissing returns the first of n blocks from lba on that is not in the set.
func (s blockSet) firstMissing(lba, n uint64) (uint64, bool) {
	for n > 0 {
		word, mask, step := blockWord(lba, n)
		if s[word]&mask != mask {
			for i := range step {
				if s[word]&(1<<((lba+i)%64)) == 0 {
					return lba + i, true
				}
			}
		}
		lba, n = lba+step, n-step
	}
	return 0, false
}

// blockWord returns the word that lba lies in, the bits of the n blocks that are
// in the same word, and how many those are.
func blockWord(lba, n uint64) (word, mask, step uint64) {
	step = min(n, 64-lba%64)
	return lba / 64, (1<<step - 1) << (lba % 64), step
}
