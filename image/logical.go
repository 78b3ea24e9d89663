package image

import (
	"encoding/binary"
	"fmt"

	"github.com/diskfs/go-diskfs/partition/mbr"
)

const (
	// firstLogical is the number of the first logical partition.
	firstLogical = 5
	// maxLogical bounds the chain: sfdisk stops at 60 partitions, the kernel at 256.
	maxLogical = 256
	// entriesAt is where the four entries of a boot record begin, each of entryLen
	// bytes; its signature is behind them.
	entriesAt, entryLen = 446, 16
)

// extended reports whether a primary partition holds a chain of logical ones: in
// the types of DOS, Windows and Linux (block/partitions/msdos.c,
// is_extended_partition).
func extended(t mbr.Type) bool { return t == 0x05 || t == 0x0f || t == 0x85 }

// readLogical adds the logical partitions of an extended one, which are a chain of
// boot records: the first entry of each is a partition, counted from the record,
// the second leads to the next record, counted from the extended partition. A chain
// that makes no sense ends there, with a note.
func (d *Disk) readLogical(outer DiskPartition) error {
	const sector = 512
	seen := map[int64]bool{}
	for number, at := firstLogical, outer.Start; ; {
		if seen[at] || number >= firstLogical+maxLogical || at > min(d.Size, outer.Start+outer.Size)-sector {
			d.note("chain of logical partitions ends in a record at %d: want one in partition %d, and none twice", at, outer.Number)
			return nil
		}
		seen[at] = true
		b := make([]byte, sector)
		if _, err := d.r.ReadAt(b, at); err != nil {
			return fmt.Errorf("record of logical partitions at %d: %w", at, err)
		}
		if b[510] != 0x55 || b[511] != 0xaa {
			if at != outer.Start { // an extended partition may be empty
				d.note("record of logical partitions at %d has the signature %02x%02x: want 55aa", at, b[510], b[511])
			}
			return nil
		}
		next := int64(0)
		for i := range 4 {
			e := b[entriesAt+i*entryLen:]
			start, size := int64(binary.LittleEndian.Uint32(e[8:]))*sector, int64(binary.LittleEndian.Uint32(e[12:]))*sector
			switch typ := mbr.Type(e[4]); {
			case typ == mbr.Empty || size == 0:
			case extended(typ):
				if next == 0 {
					next = outer.Start + start
				}
			default:
				part := DiskPartition{Number: number, Type: Type(fmt.Sprintf("%#02x", e[4])), Start: at + start, Size: size}
				if e[0] == 0x80 {
					part.Attributes = LegacyBoot
				}
				d.Partitions = append(d.Partitions, part)
				number++
			}
		}
		if next == 0 {
			return nil
		}
		at = next
	}
}
