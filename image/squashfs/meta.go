package squashfs

import "encoding/binary"

// metaWriter makes a table of metadata: blocks of 8 KiB, each compressed by
// itself behind its length. It keeps what it has made, a few bytes for a file, in
// memory: tables lie one behind the other and are made at the same time.
type metaWriter struct {
	c       compressor // nil for none
	raw     []byte     // of the block that is being filled: never a whole one
	scratch []byte
	out     [][]byte
	size    int64   // of out
	starts  []int64 // of the blocks in out
	err     error   // the first
}

func newMetaWriter(c compressor) *metaWriter {
	return &metaWriter{c: c, raw: make([]byte, 0, metaBlockLen)}
}

// ref returns the place of what is written next.
func (m *metaWriter) ref() metaRef { return newMetaRef(m.size, len(m.raw)) }

// Write never fails; err is for later.
func (m *metaWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := copy(m.raw[len(m.raw):metaBlockLen], p)
		m.raw = m.raw[:len(m.raw)+k]
		p = p[k:]
		if len(m.raw) == metaBlockLen {
			m.flush()
		}
	}
	return n, nil
}

// flush ends the block that is being filled.
func (m *metaWriter) flush() {
	if len(m.raw) == 0 || m.err != nil {
		m.raw = m.raw[:0]
		return
	}
	block, header := m.raw, metaRaw|len(m.raw)
	if m.c != nil {
		m.scratch, m.err = m.c.compress(m.scratch, m.raw)
		if len(m.scratch) < len(m.raw) {
			block, header = m.scratch, len(m.scratch)
		}
	}
	m.starts = append(m.starts, m.size)
	out := m.room(2 + len(block))
	binary.LittleEndian.PutUint16(out, uint16(header))
	copy(out[2:], block)
	m.size += int64(len(out))
	m.raw = m.raw[:0]
}

// room returns n bytes more of out. What there is stays where it is, which a
// slice that grows by being copied would not.
func (m *metaWriter) room(n int) []byte {
	last := len(m.out) - 1
	if last < 0 || cap(m.out[last])-len(m.out[last]) < n {
		size := 16 << 10
		if last >= 0 {
			size = min(2*cap(m.out[last]), 1<<20)
		}
		m.out = append(m.out, make([]byte, 0, size))
		last++
	}
	at := len(m.out[last])
	m.out[last] = m.out[last][:at+n]
	return m.out[last][at:]
}

// table writes the table to s, and returns where it begins.
func (m *metaWriter) table(s *spool) (start int64, err error) {
	m.flush()
	if m.err != nil {
		return 0, m.err
	}
	start = s.pos()
	for _, b := range m.out {
		if err := s.write(b); err != nil {
			return 0, err
		}
	}
	m.out = nil
	return start, nil
}

// index writes the places of the blocks of a table that was written at start to
// s, and returns where this begins.
func (m *metaWriter) index(s *spool, start int64) (int64, error) {
	at := s.pos()
	b := make([]byte, 0, 8*len(m.starts))
	for _, block := range m.starts {
		b = binary.LittleEndian.AppendUint64(b, uint64(start+block))
	}
	return at, s.write(b)
}

// indexed writes the table and its index to s, and returns where the index
// begins.
func (m *metaWriter) indexed(s *spool) (int64, error) {
	start, err := m.table(s)
	if err != nil {
		return 0, err
	}
	return m.index(s, start)
}
