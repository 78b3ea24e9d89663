package uki_test

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
)

// Where the structures of stubFor are.
const (
	peAt       = 0x80
	optionalAt = peAt + 4 + 20
	tableAt    = optionalAt + 240
)

// stubFor returns a small stub of two sections, as the linker makes systemd's:
// sections are aligned to 512 bytes in memory too, and symbols are left
// behind them. Its headers have room for seven sections more.
func stubFor(machine uint16) []byte {
	b := make([]byte, 0x400, 0x1000)
	copy(b, "MZ")
	binary.LittleEndian.PutUint32(b[0x3c:], peAt)
	copy(b[peAt:], "PE\x00\x00")
	put := func(at int, v any) { _, _ = binary.Encode(b[at:], binary.LittleEndian, v) }
	put(peAt+4, pe.FileHeader{Machine: machine, NumberOfSections: 2, PointerToSymbolTable: 0x800, SizeOfOptionalHeader: 240, Characteristics: 0x206})
	put(optionalAt, pe.OptionalHeader64{
		Magic: 0x20b, SizeOfCode: 0x200, SizeOfInitializedData: 0x200, AddressOfEntryPoint: 0x1000, BaseOfCode: 0x1000,
		SectionAlignment: 0x200, FileAlignment: 0x200, SizeOfImage: 0x1400, SizeOfHeaders: 0x400,
		CheckSum: 0xdeadbeef, Subsystem: 10, NumberOfRvaAndSizes: 16,
	})
	put(tableAt, []pe.SectionHeader32{
		{
			Name: [8]uint8([]byte(".text\x00\x00\x00")), VirtualSize: 0x123, VirtualAddress: 0x1000, SizeOfRawData: 0x200, PointerToRawData: 0x400,
			Characteristics: pe.IMAGE_SCN_MEM_READ | pe.IMAGE_SCN_MEM_EXECUTE | pe.IMAGE_SCN_CNT_CODE,
		},
		{
			Name: [8]uint8([]byte(".sdmagic")), VirtualSize: 0x34, VirtualAddress: 0x1200, SizeOfRawData: 0x200, PointerToRawData: 0x600,
			Characteristics: pe.IMAGE_SCN_MEM_READ | pe.IMAGE_SCN_CNT_INITIALIZED_DATA,
		},
	})
	// The rest of the headers' page is no more than seven sections.
	b[tableAt+9*40] = 1
	b = append(b, bytes.Repeat([]byte{0xcc}, 0x400)...)
	return append(b, "\x07\x00\x00\x00sym"...)
}

// kernelFor returns the head of a kernel with a banner, "" for none.
func kernelFor(machine uint16, banner string) []byte {
	b := make([]byte, 0x400)
	copy(b, "MZ")
	binary.LittleEndian.PutUint32(b[0x3c:], 0x40)
	copy(b[0x40:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(b[0x44:], machine)
	if banner != "" {
		copy(b[0x202:], "HdrS")
		binary.LittleEndian.PutUint16(b[0x20e:], 0x100)
		copy(b[0x300:], banner)
	}
	return b
}
