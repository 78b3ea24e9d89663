// Package pecoff reads the headers of PE images, with the offsets of what those who
// change an image have to write, which package debug/pe does not tell. The source is
// Microsoft's PE Format, the part on COFF and PE32+ headers.
package pecoff

import (
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// ErrNotPE is of what is no PE image.
var ErrNotPE = errors.New("not a PE image")

// Offsets in the file header.
const (
	SectionsAt = 2 // the number of sections
	SymbolsAt  = 8 // where the symbols are, and how many
)

// Offsets in the optional header that PE32 and PE32+ share.
const (
	SizeOfCode            = 4
	SizeOfInitializedData = 8
	SizeOfImage           = 56
	CheckSum              = 64

	sectionAlignment = 32
	fileAlignment    = 36
	sizeOfHeaders    = 60
)

// SectionHeaderSize is the size of an entry of the section table in bytes.
const SectionHeaderSize = 40

const (
	dosHeaderSize  = 64
	newHeaderAt    = 0x3c // in the DOS header: the offset of the signature
	fileHeaderSize = 20
)

// MaxSize is the largest image in bytes, on disk and in memory: offsets have 32 bits.
const MaxSize = math.MaxUint32

// The magic numbers of optional headers, and where their data directories begin,
// the fifth of which is the certificates'.
const (
	magicPE32     = 0x10b
	magicPE32Plus = 0x20b
	securityDir   = 4 * 8
)

var dataDirectories = map[uint16]int{magicPE32: 96, magicPE32Plus: 112}

// Head is what the head of a PE image tells. Sizes are in bytes.
type Head struct {
	Machine uint16
	// File, Optional and Table are the offsets of the file header, the optional
	// header and the section table.
	File, Optional, Table int
	// Sections is the section table.
	Sections []pe.SectionHeader32
	// SectionAlign and FileAlign are what sections are aligned to in memory and in
	// the file.
	SectionAlign, FileAlign int64
	// Headers is the size of all headers.
	Headers int64
	// Security is the offset of the data directory's entry for certificates, 0
	// where there is none.
	Security int
	// Certificates is the offset of the certificates, 0 where there are none, and
	// CertificatesSize their size.
	Certificates, CertificatesSize int64
}

// notPE returns the error for an image whose field is not what is wanted.
func notPE(field string, value any, want string) error {
	return fmt.Errorf("%w: %s is %v, want %s", ErrNotPE, field, value, want)
}

// ParseMachine returns the machine of the PE image that begins with b, and where
// its file header is.
func ParseMachine(b []byte) (machine uint16, file int, err error) {
	if len(b) < dosHeaderSize {
		return 0, 0, notPE("size", fmt.Sprintf("%d bytes", len(b)), fmt.Sprintf("at least the %d of a DOS header", dosHeaderSize))
	}
	if string(b[:2]) != "MZ" {
		return 0, 0, notPE("beginning", fmt.Sprintf("%q", b[:2]), `"MZ"`)
	}
	at := int64(binary.LittleEndian.Uint32(b[newHeaderAt:]))
	if at > int64(len(b)-4-fileHeaderSize) {
		return 0, 0, notPE("offset of the header", at, fmt.Sprintf("one within the first %d bytes", len(b)))
	}
	if sig := b[at : at+4]; string(sig) != "PE\x00\x00" {
		return 0, 0, notPE("signature", fmt.Sprintf("%q", sig), `"PE\x00\x00"`)
	}
	file = int(at) + 4
	return binary.LittleEndian.Uint16(b[file:]), file, nil
}

// Parse reads the head of an image of size bytes that begins with b. What b has not
// is not a part of the head.
func Parse(b []byte, size int64) (h Head, err error) {
	if h.Machine, h.File, err = ParseMachine(b); err != nil {
		return h, err
	}
	var file pe.FileHeader
	_, _ = binary.Decode(b[h.File:], binary.LittleEndian, &file) // ParseMachine has seen that it is there
	h.Optional = h.File + fileHeaderSize
	h.Table = h.Optional + int(file.SizeOfOptionalHeader)
	if end := h.Table + int(file.NumberOfSections)*SectionHeaderSize; end > len(b) {
		return h, notPE("end of the headers", end, fmt.Sprintf("one within the first %d bytes", len(b)))
	}
	if err := h.parseOptional(b[h.Optional:h.Table]); err != nil {
		return h, err
	}
	h.Sections = make([]pe.SectionHeader32, file.NumberOfSections)
	_, _ = binary.Decode(b[h.Table:], binary.LittleEndian, h.Sections)
	for _, s := range h.Sections {
		if end := int64(s.PointerToRawData) + int64(s.SizeOfRawData); s.SizeOfRawData != 0 && end > size {
			return h, notPE("end of section "+SectionName(&s), end, fmt.Sprintf("at most the size, %d bytes", size))
		}
	}
	return h, nil
}

// parseOptional reads the optional header.
func (h *Head) parseOptional(b []byte) error {
	if len(b) < CheckSum+4 {
		return notPE("size of the optional header", len(b), "that of PE32 or PE32+")
	}
	magic := binary.LittleEndian.Uint16(b)
	directories, ok := dataDirectories[magic]
	if !ok || len(b) < directories {
		return notPE("optional header", fmt.Sprintf("of type %#x with %d bytes", magic, len(b)), "PE32 or PE32+")
	}
	h.SectionAlign = int64(binary.LittleEndian.Uint32(b[sectionAlignment:]))
	h.FileAlign = int64(binary.LittleEndian.Uint32(b[fileAlignment:]))
	h.Headers = int64(binary.LittleEndian.Uint32(b[sizeOfHeaders:]))
	if n := h.FileAlign; n < 4 || n > 64<<10 || n&(n-1) != 0 {
		return notPE("file alignment", n, "a power of two of at most 65536")
	}
	if n := h.SectionAlign; n < h.FileAlign || n > 1<<30 || n&(n-1) != 0 {
		return notPE("section alignment", n, fmt.Sprintf("a power of two of at least the file alignment, %d", h.FileAlign))
	}
	entry := directories + securityDir
	if count := binary.LittleEndian.Uint32(b[directories-4:]); count > 4 && len(b) >= entry+8 {
		h.Security = h.Optional + entry
		h.Certificates = int64(binary.LittleEndian.Uint32(b[entry:]))
		h.CertificatesSize = int64(binary.LittleEndian.Uint32(b[entry+4:]))
	}
	return nil
}

// SectionName returns the name of a section.
func SectionName(s *pe.SectionHeader32) string { return strings.TrimRight(string(s.Name[:]), "\x00") }

// AlignUp returns the first multiple of unit, a power of two, that is not below n.
func AlignUp(n, unit int64) int64 { return (n + unit - 1) &^ (unit - 1) }
