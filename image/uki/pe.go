package uki

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"strings"
)

// Offsets in the optional header that PE32 and PE32+ share (PE Format, "Optional
// Header").
const (
	optSizeOfCode            = 4
	optSizeOfInitializedData = 8
	optSectionAlignment      = 32
	optFileAlignment         = 36
	optSizeOfImage           = 56
	optSizeOfHeaders         = 60
	optCheckSum              = 64
)

// Sizes of structures, and where else things are.
const (
	dosHeaderSize     = 64
	newHeaderAt       = 0x3c // in the DOS header: the offset of the signature
	fileHeaderSize    = 20
	sectionHeaderSize = 40
	sectionsAt        = 2 // in the file header: the number of sections
	symbolsAt         = 8 // in the file header: where the symbols are, and how many
)

// The magic numbers of optional headers, and where their data directories begin,
// the fifth of which is the certificates'.
const (
	magicPE32     = 0x10b
	magicPE32Plus = 0x20b
	securityDir   = 4 * 8
)

var dataDirectories = map[uint16]int{magicPE32: 96, magicPE32Plus: 112}

// peHead is what the head of a PE image tells.
type peHead struct {
	machine      uint16
	file         int // offset of the file header
	optional     int // offset of the optional header
	table        int // offset of the section table
	sections     []pe.SectionHeader32
	sectionAlign int64
	fileAlign    int64
	headers      int64 // size of all headers, in bytes
	signed       bool
}

// notPE returns the error for an image whose field is not what is wanted.
func notPE(field string, value any, want string) error {
	return fmt.Errorf("%w: %s is %v, want %s", ErrNotPE, field, value, want)
}

// parseMachine returns the machine of the PE image that begins with b, and where
// its file header is.
func parseMachine(b []byte) (machine uint16, file int, err error) {
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

// parsePE reads the head of the image b.
func parsePE(b []byte) (h peHead, err error) {
	if h.machine, h.file, err = parseMachine(b); err != nil {
		return h, err
	}
	var file pe.FileHeader
	_, _ = binary.Decode(b[h.file:], binary.LittleEndian, &file) // parseMachine has seen that it is there
	h.optional = h.file + fileHeaderSize
	h.table = h.optional + int(file.SizeOfOptionalHeader)
	if end := h.table + int(file.NumberOfSections)*sectionHeaderSize; end > len(b) {
		return h, notPE("size", len(b), fmt.Sprintf("at least the %d bytes of its headers", end))
	}
	if err := h.parseOptional(b[h.optional:h.table]); err != nil {
		return h, err
	}
	h.sections = make([]pe.SectionHeader32, file.NumberOfSections)
	_, _ = binary.Decode(b[h.table:], binary.LittleEndian, h.sections)
	for _, s := range h.sections {
		if end := int64(s.PointerToRawData) + int64(s.SizeOfRawData); s.SizeOfRawData != 0 && end > int64(len(b)) {
			return h, notPE("end of section "+sectionName(&s), end, fmt.Sprintf("at most the size, %d bytes", len(b)))
		}
	}
	return h, nil
}

// parseOptional reads the optional header.
func (h *peHead) parseOptional(b []byte) error {
	if len(b) < optCheckSum+4 {
		return notPE("size of the optional header", len(b), "that of PE32 or PE32+")
	}
	magic := binary.LittleEndian.Uint16(b)
	directories, ok := dataDirectories[magic]
	if !ok || len(b) < directories {
		return notPE("optional header", fmt.Sprintf("of type %#x with %d bytes", magic, len(b)), "PE32 or PE32+")
	}
	h.sectionAlign = int64(binary.LittleEndian.Uint32(b[optSectionAlignment:]))
	h.fileAlign = int64(binary.LittleEndian.Uint32(b[optFileAlignment:]))
	h.headers = int64(binary.LittleEndian.Uint32(b[optSizeOfHeaders:]))
	if n := h.fileAlign; n < 4 || n > 64<<10 || n&(n-1) != 0 {
		return notPE("file alignment", n, "a power of two of at most 65536")
	}
	if n := h.sectionAlign; n < h.fileAlign || n > 1<<30 || n&(n-1) != 0 {
		return notPE("section alignment", n, fmt.Sprintf("a power of two of at least the file alignment, %d", h.fileAlign))
	}
	if count := binary.LittleEndian.Uint32(b[directories-4:]); count > 4 && len(b) >= directories+securityDir+8 {
		h.signed = binary.LittleEndian.Uint64(b[directories+securityDir:]) != 0
	}
	return nil
}

// room returns how many more sections the headers have room for. Loaders read no
// more than SizeOfHeaders, and what lies there besides is not ours to overwrite.
func (h *peHead) room(b []byte) int {
	limit := min(h.headers, int64(len(b)))
	for _, s := range h.sections {
		if s.SizeOfRawData != 0 {
			limit = min(limit, int64(s.PointerToRawData))
		}
	}
	end := int64(h.table + len(h.sections)*sectionHeaderSize)
	if limit <= end {
		return 0
	}
	free := b[end:limit]
	zeros := len(free) - len(bytes.TrimLeft(free, "\x00"))
	return zeros / sectionHeaderSize
}

// strip returns the image b without its symbols, which lie behind the sections.
// There they would be a gap between those and what is appended: tools that sign
// images warn of it. Long names of sections are kept with the symbols, so that an
// image that has any keeps both.
func (h *peHead) strip(b []byte) []byte {
	end := h.headers
	for _, s := range h.sections {
		if s.Name[0] == '/' {
			return b
		}
		if s.SizeOfRawData != 0 {
			end = max(end, int64(s.PointerToRawData)+int64(s.SizeOfRawData))
		}
	}
	symbols := binary.LittleEndian.Uint64(b[h.file+symbolsAt:])
	if table := int64(uint32(symbols)); table < end || table >= int64(len(b)) {
		return b
	}
	clear(b[h.file+symbolsAt : h.file+symbolsAt+8])
	return b[:end]
}

// end returns the first address behind all sections.
func (h *peHead) end() int64 {
	end := h.headers
	for _, s := range h.sections {
		end = max(end, int64(s.VirtualAddress)+max(int64(s.VirtualSize), int64(s.SizeOfRawData)))
	}
	return end
}

// sectionName returns the name of a section.
func sectionName(s *pe.SectionHeader32) string { return strings.TrimRight(string(s.Name[:]), "\x00") }

// alignUp returns the first multiple of unit, a power of two, that is not below n.
func alignUp(n, unit int64) int64 { return (n + unit - 1) &^ (unit - 1) }
