package parttable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	gptSignature  = "EFI PART"
	gptHeaderSize = 92
	gptEntrySize  = 128
	// maxArray bounds what one header can make us read.
	maxArray = 4 << 20
)

// gptHeader is the GPT header, UEFI 2.10, Table 5.5.
type gptHeader struct {
	arrayLBA           uint64
	entries, entrySize uint32
	arrayCRC           uint32
}

// gpt reads the primary table; where that is damaged, the backup in the last
// block.
func (d *disk) gpt() ([]Entry, error) {
	array, err := d.gptAt(1)
	if !errors.Is(err, ErrDamaged) {
		return array, err
	}
	backup, err2 := d.gptAt(d.blocks() - 1)
	if !errors.Is(err2, ErrDamaged) {
		return backup, err2
	}
	if bs := d.otherBlockSize(); bs != 0 {
		return nil, damaged("the GPT is made for blocks of %d bytes, the device has blocks of %d", bs, d.blockSize)
	}
	return nil, fmt.Errorf("protective MBR, but primary GPT: %w; backup GPT: %w", err, err2)
}

// otherBlockSize looks for a good header where another block size has it.
func (d *disk) otherBlockSize() int64 {
	for bs := int64(mbrSize); bs <= 4096; bs <<= 1 {
		other := disk{r: d.r, size: d.size - d.size%bs, blockSize: bs}
		if bs == d.blockSize || other.blocks() < 2 {
			continue
		}
		if _, err := other.header(1); err == nil {
			return bs
		}
	}
	return 0
}

// gptAt reads the table whose header is in block lba.
func (d *disk) gptAt(lba uint64) ([]Entry, error) {
	h, err := d.header(lba)
	if err != nil {
		return nil, err
	}
	array := make([]byte, uint64(h.entries)*uint64(h.entrySize))
	if err := d.readAt(array, int64(h.arrayLBA)*d.blockSize); err != nil {
		return nil, err
	}
	if got := crc32.ChecksumIEEE(array); got != h.arrayCRC {
		return nil, damaged("partition entries have CRC %#x, the header says %#x", got, h.arrayCRC)
	}
	return d.gptEntries(h, array)
}

// header reads and checks the header in block lba.
func (d *disk) header(lba uint64) (*gptHeader, error) {
	if lba == 0 || lba >= d.blocks() {
		return nil, damaged("no block %d for the header", lba)
	}
	b := make([]byte, d.blockSize)
	if err := d.readAt(b, int64(lba)*d.blockSize); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if string(b[:8]) != gptSignature {
		return nil, damaged("no signature in block %d", lba)
	}
	size := le.Uint32(b[12:])
	if size < gptHeaderSize || int64(size) > d.blockSize {
		return nil, damaged("header of %d bytes in a block of %d", size, d.blockSize)
	}
	want := le.Uint32(b[16:])
	clear(b[16:20])
	if got := crc32.ChecksumIEEE(b[:size]); got != want {
		return nil, damaged("header has CRC %#x, says %#x", got, want)
	}
	if my := le.Uint64(b[24:]); my != lba {
		return nil, damaged("header in block %d says that it is in block %d", lba, my)
	}
	h := &gptHeader{
		arrayLBA:  le.Uint64(b[72:]),
		entries:   le.Uint32(b[80:]),
		entrySize: le.Uint32(b[84:]),
		arrayCRC:  le.Uint32(b[88:]),
	}
	return h, h.check(d)
}

// check refuses a header that leads out of the disk or out of bounds.
func (h *gptHeader) check(d *disk) error {
	n := uint64(h.entries) * uint64(h.entrySize)
	switch {
	case h.entrySize < gptEntrySize || h.entrySize > 4096 || h.entrySize&(h.entrySize-1) != 0:
		return damaged("entries of %d bytes: want %d times a power of two", h.entrySize, gptEntrySize)
	case n > maxArray:
		return damaged("%d entries of %d bytes: more than %d bytes", h.entries, h.entrySize, maxArray)
	case h.arrayLBA >= d.blocks() || n > (d.blocks()-h.arrayLBA)*uint64(d.blockSize):
		return damaged("entries from block %d leave the disk of %d blocks", h.arrayLBA, d.blocks())
	}
	return nil
}

// gptEntries decodes the array of entries, UEFI 2.10, Table 5.6.
func (d *disk) gptEntries(h *gptHeader, array []byte) ([]Entry, error) {
	le := binary.LittleEndian
	unused := make([]byte, 16)
	var entries []Entry
	for i := range int(h.entries) {
		b := array[i*int(h.entrySize):]
		if bytes.Equal(b[:16], unused) {
			continue
		}
		first, last := le.Uint64(b[32:]), le.Uint64(b[40:])
		if last < first {
			return nil, damaged("partition %d ends at block %d, before its start at %d", i+1, last, first)
		}
		e, err := d.entry(i+1, first, last-first+1)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}
