package squashfs

import "encoding/binary"

// metaBlock returns a block of metadata and where the next one is.
func (v *readVolume) metaBlock(at uint64, what string) (cachedBlock, error) {
	if b, ok := v.meta.get(at); ok {
		return b, nil
	}
	head, err := v.readAt(at, 2, what)
	if err != nil {
		return cachedBlock{}, err
	}
	header := le.Uint16(head)
	n := int(header &^ metaRaw)
	if n == 0 || n > metaBlockLen {
		return cachedBlock{}, damaged("%s has a block of %d bytes at %d: want 1 to %d", what, n, at, metaBlockLen)
	}
	b, err := v.readAt(at+2, n, what)
	if err != nil {
		return cachedBlock{}, err
	}
	if header&metaRaw == 0 {
		out := make([]byte, metaBlockLen)
		k, err := v.decompress(out, b)
		if err != nil {
			return cachedBlock{}, blockError(what, at, err)
		}
		b = out[:k:k]
	}
	block := cachedBlock{at: at, b: b, next: at + 2 + uint64(n)}
	v.meta.put(block)
	return block, nil
}

// metaReader reads a table of metadata from some place on.
type metaReader struct {
	v    *readVolume
	what string
	rest []byte // of the block that is being read
	next uint64
	end  uint64 // behind the last block
}

// metaAt returns a reader of the table between two places from ref on.
func (v *readVolume) metaAt(start, end uint64, ref metaRef, what string) (*metaReader, error) {
	m := &metaReader{v: v, what: what, next: start + uint64(ref>>16), end: end}
	if err := m.fill(); err != nil {
		return nil, err
	}
	if off := int(ref.offset()); off > len(m.rest) {
		return nil, damaged("place %#x in %s is behind a block's %d bytes", uint64(ref), what, len(m.rest))
	}
	m.rest = m.rest[ref.offset():]
	return m, nil
}

// fill goes on to the next block.
func (m *metaReader) fill() error {
	if m.next >= m.end {
		return damaged("%s goes on behind its end at %d", m.what, m.end)
	}
	b, err := m.v.metaBlock(m.next, m.what)
	m.rest, m.next = b.b, b.next
	return err
}

// read fills p.
func (m *metaReader) read(p []byte) error {
	for len(p) > 0 {
		if len(m.rest) == 0 {
			if err := m.fill(); err != nil {
				return err
			}
		}
		n := copy(p, m.rest)
		m.rest, p = m.rest[n:], p[n:]
	}
	return nil
}

// decode reads one of the structures.
func (m *metaReader) decode(s any) error {
	var room [64]byte // more than any of them has
	b := room[:binary.Size(s)]
	if err := m.read(b); err != nil {
		return err
	}
	_, err := binary.Decode(b, le, s)
	return err
}

// uint32 reads a number.
func (m *metaReader) uint32() (uint32, error) {
	var b [4]byte
	err := m.read(b[:])
	return le.Uint32(b[:]), err
}

// entry reads entry i of a table that is found by an index: places of its blocks,
// 8 bytes each.
func (v *readVolume) entry(index uint64, i, count uint32, entry any, what string) error {
	if i >= count {
		return damaged("%s has %d entries: want more than %d", what, count, i)
	}
	at := uint64(i) * uint64(binary.Size(entry))
	b, err := v.readAt(index+at/metaBlockLen*8, 8, what)
	if err != nil {
		return err
	}
	m, err := v.metaAt(le.Uint64(b), v.sb.BytesUsed, newMetaRef(0, int(at%metaBlockLen)), what)
	if err != nil {
		return err
	}
	return m.decode(entry)
}

// owner returns the user or group that the table has at i.
func (v *readVolume) owner(i uint16) (id uint32, err error) {
	err = v.entry(v.sb.IDTable, uint32(i), uint32(v.sb.IDs), &id, "the table of owners")
	return id, err
}
