package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/diskfs/go-diskfs/partition/gpt"
)

const (
	gptSignature  = "EFI PART"
	gptHeaderSize = 92
	// maxGPTEntries is more than anybody has. go-diskfs 1.9.4 would take the memory
	// for as many as a header says.
	maxGPTEntries = 1024
)

// errNoHeader reports a place where there is no GPT header, not even a damaged one.
var errNoHeader = errors.New("it has no signature")

// gptHeader is what is asked of a GPT header (UEFI 2.10, table 5.5).
type gptHeader struct {
	lba       int64
	alternate uint64 // where the other one is
	sum       uint32 // of the entries
}

// findGPT looks for a GPT in sectors of a size, and takes down what is wrong with
// the two headers that there should be. It is there where one of them is sound.
func (d *Disk) findGPT(sector int) (found bool, err error) {
	last := d.Size/int64(sector) - 1
	primary, primaryErr := d.readHeader(sector, 1)
	at := last
	if primaryErr == nil && primary.alternate <= uint64(last) {
		at = int64(primary.alternate)
	}
	backup, backupErr := d.readHeader(sector, at)
	switch {
	case errors.Is(primaryErr, errNoHeader) && errors.Is(backupErr, errNoHeader):
		return false, nil
	case primaryErr != nil && backupErr != nil:
		return false, fmt.Errorf("GPT header at LBA 1: %w; backup at LBA %d: %w", primaryErr, at, backupErr)
	case primaryErr != nil:
		d.note("the primary partition table is damaged: %v; this is the backup", primaryErr)
		return true, nil
	}
	switch {
	case primary.alternate > uint64(last):
		d.note("the backup partition table should be at LBA %d, and the disk ends at LBA %d: it has been cut short", primary.alternate, last)
	case backupErr != nil:
		d.note("the backup partition table at LBA %d is damaged: %v", at, backupErr)
	case at != last:
		d.note("the backup partition table is at LBA %d, and the disk ends at LBA %d: it has grown", at, last)
	}
	if backupErr == nil && backup.sum != primary.sum && backup.lba != primary.lba {
		d.note("the primary and the backup partition table differ")
	}
	return true, nil
}

// readHeader reads a GPT header and checks it and its entries.
func (d *Disk) readHeader(sector int, lba int64) (*gptHeader, error) {
	if lba < 1 {
		return nil, errNoHeader
	}
	b := make([]byte, gptHeaderSize)
	if n, err := d.r.ReadAt(b, lba*int64(sector)); n < len(b) {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, errNoHeader
	}
	if string(b[:len(gptSignature)]) != gptSignature {
		return nil, errNoHeader
	}
	le := binary.LittleEndian
	sum := le.Uint32(b[16:])
	clear(b[16:20])
	size, count, entrySize := le.Uint32(b[12:]), le.Uint32(b[80:]), le.Uint32(b[84:])
	h := &gptHeader{lba: int64(le.Uint64(b[24:])), alternate: le.Uint64(b[32:]), sum: le.Uint32(b[88:])}
	switch entries := le.Uint64(b[72:]); {
	case size != gptHeaderSize:
		return nil, fmt.Errorf("its header has %d bytes: want %d", size, gptHeaderSize)
	case crc32.ChecksumIEEE(b) != sum:
		return nil, fmt.Errorf("its header has the checksum %#08x: want %#08x", sum, crc32.ChecksumIEEE(b))
	case h.lba != lba:
		return nil, fmt.Errorf("its header is for LBA %d", h.lba)
	case entrySize != gpt.PartitionEntrySize || count > maxGPTEntries:
		return nil, fmt.Errorf("it has %d entries of %d bytes: want at most %d of %d", count, entrySize, maxGPTEntries, gpt.PartitionEntrySize)
	case entries > uint64(d.Size)/uint64(sector):
		return nil, fmt.Errorf("its entries are at LBA %d, past the disk's end", entries)
	default:
		list := make([]byte, count*entrySize)
		if n, err := d.r.ReadAt(list, int64(entries)*int64(sector)); n < len(list) {
			return nil, fmt.Errorf("its entries at LBA %d: %w", entries, err)
		}
		if got := crc32.ChecksumIEEE(list); got != h.sum {
			return nil, fmt.Errorf("its entries have the checksum %#08x: want %#08x", got, h.sum)
		}
	}
	return h, nil
}

// readHybrid looks which partitions of a GPT disk the MBR lists as well.
func (d *Disk) readHybrid() error {
	b := make([]byte, 512)
	if _, err := d.r.ReadAt(b, 0); err != nil {
		return err
	}
	le := binary.LittleEndian
	protected := false
	for i := range 4 {
		e := b[446+16*i:]
		kind, start, size := e[4], int64(le.Uint32(e[8:])), int64(le.Uint32(e[12:]))
		switch {
		case kind == 0 || size == 0:
		case kind == 0xee:
			protected = true
		case !d.hybrid(kind, start*int64(d.SectorSize), size*int64(d.SectorSize)):
			d.note("entry %d of the MBR, of type %#02x, is of no partition: %d sectors at LBA %d", i+1, kind, size, start)
		}
	}
	if !protected {
		d.note("the MBR has no entry that protects the GPT, of type 0xee")
	}
	return nil
}

// hybrid enters a partition's type in the MBR.
func (d *Disk) hybrid(kind byte, start, size int64) bool {
	for i := range d.Partitions {
		if part := &d.Partitions[i]; part.Start == start && part.Size == size {
			part.HybridType = Type(fmt.Sprintf("%#02x", kind))
			return true
		}
	}
	return false
}

func (d *Disk) note(format string, args ...any) {
	d.Notes = append(d.Notes, fmt.Sprintf(format, args...))
}

// place turns a range of sectors into bytes, where that can be.
func place(first, last uint64, sector int) (start, size int64, ok bool) {
	if first > last || last >= math.MaxInt64/uint64(sector) {
		return 0, 0, false
	}
	return int64(first) * int64(sector), int64(last-first+1) * int64(sector), true
}
