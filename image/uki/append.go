package uki

import (
	"debug/pe"
	"encoding/binary"
	"fmt"
	"math"
)

// section is a section to be appended.
type section struct {
	name  string
	parts []Source // its content, one after the other
	code  bool
}

// size returns the length of the content. Each part begins at a multiple of four
// bytes, as the kernel wants of archives of an initramfs.
func (s *section) size() (n int64) {
	for i, p := range s.parts {
		if i > 0 {
			n = alignUp(n, partAlign)
		}
		n += p.Size
	}
	return n
}

const partAlign = 4

// pageSize is what sections are aligned to, whatever the stub's own alignment
// allows: firmware that protects memory does so by pages.
const pageSize = 4096

// maxImage is the largest image in bytes, on disk and in memory.
const maxImage = math.MaxUint32

// appender puts sections behind those of a stub.
type appender struct {
	head  peHead
	stub  []byte // with its headers changed, and its end aligned
	parts []part // the file
	size  int64  // of it so far, bytes
	next  int64  // the address of the next section
}

// newAppender makes an appender for count more sections. It changes stub, which
// loses its symbols.
func newAppender(stub []byte, count int) (*appender, error) {
	h, err := parsePE(stub)
	if err != nil {
		return nil, err
	}
	if h.signed {
		return nil, fmt.Errorf("%w: it is signed, want one without a signature", ErrStub)
	}
	if room := h.room(stub); room < count {
		return nil, fmt.Errorf("%w: its headers have room for %d more sections, want room for %d", ErrStub, room, count)
	}
	stub = h.strip(stub)
	aligned := make([]byte, alignUp(int64(len(stub)), h.fileAlign)) // what is behind the sections may end anywhere
	copy(aligned, stub)
	return &appender{
		head: h, stub: aligned, size: int64(len(aligned)), next: h.end(),
		parts: []part{{source: Bytes("stub", aligned)}},
	}, nil
}

// add appends a section.
func (a *appender) add(s *section) error {
	for i := range a.head.sections {
		if sectionName(&a.head.sections[i]) == s.name {
			return fmt.Errorf("%w: it has one already", ErrStub)
		}
	}
	size := s.size()
	address := alignUp(a.next, max(a.head.sectionAlign, pageSize))
	padded := alignUp(size, a.head.fileAlign)
	if a.size+padded > maxImage || address+padded+a.head.sectionAlign > maxImage {
		return fmt.Errorf("%w: its %d bytes would end beyond %d", ErrTooLarge, size, int64(maxImage))
	}
	header := pe.SectionHeader32{
		VirtualSize: uint32(size), VirtualAddress: uint32(address),
		SizeOfRawData: uint32(padded), PointerToRawData: uint32(a.size),
		Characteristics: pe.IMAGE_SCN_MEM_READ | pe.IMAGE_SCN_CNT_INITIALIZED_DATA,
	}
	counter := optSizeOfInitializedData
	if s.code {
		header.Characteristics = pe.IMAGE_SCN_MEM_READ | pe.IMAGE_SCN_CNT_CODE
		counter = optSizeOfCode
	}
	copy(header.Name[:], s.name)
	a.head.sections = append(a.head.sections, header)
	a.addTo(counter, uint32(padded))
	a.appendParts(s.parts, padded)
	a.size += padded
	a.next = address + size
	return nil
}

// appendParts appends the parts of a section with the zeros between and behind.
func (a *appender) appendParts(sources []Source, size int64) {
	end := int64(0)
	for i, s := range sources {
		end += s.Size
		pad := alignUp(end, partAlign) - end
		if i == len(sources)-1 {
			pad = size - end
		}
		a.parts = append(a.parts, part{source: s, pad: pad})
		end += pad
	}
}

// addTo adds to a sum in the optional header. What wraps around was no sum of
// sizes before.
func (a *appender) addTo(field int, n uint32) {
	b := a.stub[a.head.optional+field:]
	binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)+n)
}

// finish writes the headers of a file that is complete but for its checksum.
func (a *appender) finish() {
	le := binary.LittleEndian
	le.PutUint16(a.stub[a.head.file+sectionsAt:], uint16(len(a.head.sections)))
	le.PutUint32(a.stub[a.head.optional+optSizeOfImage:], uint32(alignUp(a.next, a.head.sectionAlign)))
	le.PutUint32(a.stub[a.head.optional+optCheckSum:], 0)
	_, _ = binary.Encode(a.stub[a.head.table:], le, a.head.sections) // there is room
}
