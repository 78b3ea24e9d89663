package uki

import (
	"debug/pe"
	"encoding/binary"
	"fmt"

	"github.com/drivebay/drivebay/image/internal/parts"
	"github.com/drivebay/drivebay/image/internal/pecoff"
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
			n = pecoff.AlignUp(n, partAlign)
		}
		n += p.Size
	}
	return n
}

const partAlign = 4

// pageSize is what sections are aligned to, whatever the stub's own alignment
// allows: firmware that protects memory does so by pages.
const pageSize = 4096

// appender puts sections behind those of a stub.
type appender struct {
	head pecoff.Head
	stub []byte       // with its headers changed, and its end aligned
	rest []parts.Part // of the file
	size int64        // of it so far, bytes
	next int64        // the address of the next section
}

// newAppender makes an appender for count more sections. It changes stub, which
// loses its symbols.
func newAppender(stub []byte, count int) (*appender, error) {
	h, err := pecoff.Parse(stub, int64(len(stub)))
	if err != nil {
		return nil, err
	}
	if h.Certificates != 0 || h.CertificatesSize != 0 {
		return nil, fmt.Errorf("%w: it is signed, want one without a signature", ErrStub)
	}
	if free := room(&h, stub); free < count {
		return nil, fmt.Errorf("%w: its headers have room for %d more sections, want room for %d", ErrStub, free, count)
	}
	stub = strip(&h, stub)
	aligned := make([]byte, pecoff.AlignUp(int64(len(stub)), h.FileAlign)) // what is behind the sections may end anywhere
	copy(aligned, stub)
	return &appender{head: h, stub: aligned, size: int64(len(aligned)), next: endAddress(&h)}, nil
}

// add appends a section.
func (a *appender) add(s *section) error {
	for i := range a.head.Sections {
		if pecoff.SectionName(&a.head.Sections[i]) == s.name {
			return fmt.Errorf("%w: it has one already", ErrStub)
		}
	}
	size := s.size()
	address := pecoff.AlignUp(a.next, max(a.head.SectionAlign, pageSize))
	padded := pecoff.AlignUp(size, a.head.FileAlign)
	if a.size+padded > pecoff.MaxSize || address+padded+a.head.SectionAlign > pecoff.MaxSize {
		return fmt.Errorf("%w: its %d bytes would end beyond %d", ErrTooLarge, size, int64(pecoff.MaxSize))
	}
	header := pe.SectionHeader32{
		VirtualSize: uint32(size), VirtualAddress: uint32(address),
		SizeOfRawData: uint32(padded), PointerToRawData: uint32(a.size),
		Characteristics: pe.IMAGE_SCN_MEM_READ | pe.IMAGE_SCN_CNT_INITIALIZED_DATA,
	}
	counter := pecoff.SizeOfInitializedData
	if s.code {
		header.Characteristics = pe.IMAGE_SCN_MEM_READ | pe.IMAGE_SCN_CNT_CODE
		counter = pecoff.SizeOfCode
	}
	copy(header.Name[:], s.name)
	a.head.Sections = append(a.head.Sections, header)
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
		pad := pecoff.AlignUp(end, partAlign) - end
		if i == len(sources)-1 {
			pad = size - end
		}
		a.rest = append(a.rest, parts.Part{Name: s.Name, Size: s.Size, Open: s.Open, Pad: pad})
		end += pad
	}
}

// addTo adds to a sum in the optional header. What wraps around was no sum of
// sizes before.
func (a *appender) addTo(field int, n uint32) {
	b := a.stub[a.head.Optional+field:]
	binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)+n)
}

// finish writes the headers of a file that is complete but for its checksum.
func (a *appender) finish() {
	le := binary.LittleEndian
	le.PutUint16(a.stub[a.head.File+pecoff.SectionsAt:], uint16(len(a.head.Sections)))
	le.PutUint32(a.stub[a.head.Optional+pecoff.SizeOfImage:], uint32(pecoff.AlignUp(a.next, a.head.SectionAlign)))
	le.PutUint32(a.stub[a.head.Optional+pecoff.CheckSum:], 0)
	_, _ = binary.Encode(a.stub[a.head.Table:], le, a.head.Sections) // there is room
}
