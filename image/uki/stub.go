package uki

import (
	"bytes"
	"encoding/binary"

	"github.com/drivebay/drivebay/image/internal/pecoff"
)

// room returns how many more sections the headers of a stub have room for. Loaders
// read no more than SizeOfHeaders, and what lies there besides is not ours to
// overwrite.
func room(h *pecoff.Head, stub []byte) int {
	limit := min(h.Headers, int64(len(stub)))
	for _, s := range h.Sections {
		if s.SizeOfRawData != 0 {
			limit = min(limit, int64(s.PointerToRawData))
		}
	}
	end := int64(h.Table + len(h.Sections)*pecoff.SectionHeaderSize)
	if limit <= end {
		return 0
	}
	free := stub[end:limit]
	zeros := len(free) - len(bytes.TrimLeft(free, "\x00"))
	return zeros / pecoff.SectionHeaderSize
}

// strip returns a stub without its symbols, which lie behind the sections. There
// they would be a gap between those and what is appended, and what a signature is
// of is not told of gaps. Long names of sections are kept with the symbols, so that
// a stub that has any keeps both.
func strip(h *pecoff.Head, stub []byte) []byte {
	end := h.Headers
	for _, s := range h.Sections {
		if s.Name[0] == '/' {
			return stub
		}
		if s.SizeOfRawData != 0 {
			end = max(end, int64(s.PointerToRawData)+int64(s.SizeOfRawData))
		}
	}
	at := h.File + pecoff.SymbolsAt
	if table := int64(binary.LittleEndian.Uint32(stub[at:])); table < end || table >= int64(len(stub)) {
		return stub
	}
	clear(stub[at : at+8])
	return stub[:end]
}

// endAddress returns the first address behind all sections.
func endAddress(h *pecoff.Head) int64 {
	end := h.Headers
	for _, s := range h.Sections {
		end = max(end, int64(s.VirtualAddress)+max(int64(s.VirtualSize), int64(s.SizeOfRawData)))
	}
	return end
}
