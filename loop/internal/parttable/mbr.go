package parttable

import (
	"encoding/binary"
	"slices"
)

const (
	mbrSize  = 512
	mbrTable = 446

	typeProtective = 0xee
	// firstLogical is the number of the first logical partition.
	firstLogical = 5
)

// mbrEntry is one record of an MBR or EBR; start and count are blocks.
type mbrEntry struct {
	status, kind byte
	start, count uint32
}

func (e mbrEntry) used() bool { return e.kind != 0 && e.count != 0 }

// extended reports whether the entry holds a chain of logical partitions: DOS,
// Windows 95 with LBA, Linux.
func (e mbrEntry) extended() bool {
	return e.used() && (e.kind == 0x05 || e.kind == 0x0f || e.kind == 0x85)
}

// bootRecord holds the four entries of an MBR or EBR.
type bootRecord [4]mbrEntry

// protective reports whether the record stands for a GPT.
func (m *bootRecord) protective() bool {
	return slices.ContainsFunc(m[:], func(e mbrEntry) bool { return e.kind == typeProtective })
}

// parseRecord decodes a block that ends in the signature.
func parseRecord(b []byte) (*bootRecord, bool) {
	if b[510] != 0x55 || b[511] != 0xaa {
		return nil, false
	}
	var m bootRecord
	for i := range m {
		e := b[mbrTable+16*i:]
		m[i] = mbrEntry{e[0], e[4], binary.LittleEndian.Uint32(e[8:]), binary.LittleEndian.Uint32(e[12:])}
	}
	return &m, true
}

// parseMBR decodes the first block of a disk. The boot sector of a FAT, exFAT
// or NTFS volume ends in the same signature, and is no MBR.
func parseMBR(b []byte) (*bootRecord, bool) {
	m, ok := parseRecord(b)
	if !ok || bootSector(b) {
		return nil, false
	}
	for _, e := range m {
		if e.status&0x7f != 0 {
			return nil, false
		}
	}
	return m, true
}

// bootSector reports whether b begins a file system that puts its parameters
// where an MBR has code.
func bootSector(b []byte) bool {
	if b[0] != 0xeb && b[0] != 0xe9 {
		return false
	}
	switch string(b[3:11]) {
	case "NTFS    ", "EXFAT   ":
		return true
	}
	sector := binary.LittleEndian.Uint16(b[11:])
	reserved := binary.LittleEndian.Uint16(b[14:])
	cluster, fats, media := b[13], b[16], b[21]
	return sector >= 512 && sector <= 4096 && sector&(sector-1) == 0 &&
		cluster != 0 && cluster&(cluster-1) == 0 &&
		reserved != 0 && (fats == 1 || fats == 2) && (media == 0xf0 || media >= 0xf8)
}

// mbr returns the primary and the logical partitions.
func (d *disk) mbr(m *bootRecord) ([]Entry, error) {
	var primary, logical []Entry
	for i, p := range m {
		if !p.used() {
			continue
		}
		count := uint64(p.count)
		if p.extended() {
			// The kernel shows of it what a boot loader needs: 1024 bytes, or a
			// block. The rest belongs to the logical partitions.
			count = min(count, uint64(max(1024, d.blockSize)/d.blockSize))
			more, err := d.chain(p, firstLogical+len(logical))
			if err != nil {
				return nil, err
			}
			logical = append(logical, more...)
		}
		e, err := d.entry(i+1, uint64(p.start), count)
		if err != nil {
			return nil, err
		}
		primary = append(primary, e)
	}
	return append(primary, logical...), nil
}

// chain follows the extended boot records of one extended partition. Those
// give a logical partition from their own block, and the next record from the
// start of the extended partition.
func (d *disk) chain(extended mbrEntry, number int) ([]Entry, error) {
	var entries []Entry
	seen := map[uint64]bool{}
	first := uint64(extended.start)
	b := make([]byte, mbrSize)
	for at := first; ; {
		switch {
		case seen[at]:
			return nil, damaged("the chain of logical partitions comes back to block %d", at)
		case at >= d.blocks():
			return nil, damaged("an extended boot record in block %d of %d", at, d.blocks())
		case len(seen) > MaxNumber:
			return nil, damaged("more than %d extended boot records", MaxNumber)
		}
		seen[at] = true
		if err := d.readAt(b, int64(at)*d.blockSize); err != nil {
			return nil, err
		}
		ebr, ok := parseRecord(b)
		if !ok {
			// Tools leave a fresh extended partition unwritten.
			if at == first {
				return nil, nil
			}
			return nil, damaged("no extended boot record in block %d", at)
		}
		found, link, err := d.logical(ebr, at, number+len(entries))
		if err != nil {
			return nil, err
		}
		entries = append(entries, found...)
		if link == nil {
			return entries, nil
		}
		at = first + uint64(link.start)
	}
}

// logical returns the partitions of the record in block at, numbered from
// number, and its link to the next record.
func (d *disk) logical(ebr *bootRecord, at uint64, number int) (entries []Entry, link *mbrEntry, err error) {
	for i, e := range ebr {
		switch {
		case e.extended():
			if link == nil {
				link = &ebr[i]
			}
		case e.used():
			entry, err := d.entry(number+len(entries), at+uint64(e.start), uint64(e.count))
			if err != nil {
				return nil, nil, err
			}
			entries = append(entries, entry)
		}
	}
	return entries, link, nil
}
