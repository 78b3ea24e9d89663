package nvme

import (
	"context"
	"encoding/binary"
	"fmt"
)

// CopySource is a range that Copy copies from. The tags are what its protection
// information is expected to have.
type CopySource struct {
	LBA             uint64
	Blocks          uint32 // 1 to 65536
	StorageTag      uint64 // ELBST: see IOOptions
	ReferenceTag    uint64 // EILBRT: see IOOptions
	ApplicationTag  uint16
	ApplicationMask uint16
}

// Copy copies ranges of blocks, one after the other, to lba and on: NVM Command
// Set 1.0, 3.2.2. o concerns what is written, but for SourceProtect. The descriptors have the format that goes with the
// namespace's guard: 1 for 32 and 64 bits, else 0.
func (n *Namespace) Copy(ctx context.Context, lba uint64, o IOOptions, sources ...CopySource) error {
	const op = "copy"
	if err := n.checkCopy(op, lba, &o, sources); err != nil {
		return err
	}
	format, data := n.copyDescriptors(sources)
	cmd := Command{
		Queue: IOQueue, Opcode: IOCopy, NSID: n.id, CDW10: lo(lba), CDW11: hi(lba),
		// NR 7:0, descriptor format 11:8, PRINFOR 15:12, DTYPE 23:20, PRINFOW 29:26.
		CDW12: uint32(len(sources)-1) | format<<8 | uint32(o.SourceProtect)<<12 | uint32(o.Directive)<<20 |
			bit(o.CheckStorage, 24) | uint32(o.Protect)<<26 | bit(o.ForceUnitAccess, 30) | bit(o.LimitedRetry, 31),
		CDW13: uint32(o.Specific) << 16,
		CDW15: uint32(o.ApplicationTag) | uint32(o.ApplicationMask)<<16,
		Data:  data,
	}
	cmd.putTags(n.protection.tags(o.StorageTag, o.ReferenceTag))
	_, err := n.c.Do(ctx, cmd)
	return err
}

// checkCopy refuses what is out of range or beyond the drive's limits.
func (n *Namespace) checkCopy(op string, lba uint64, o *IOOptions, sources []CopySource) error {
	if len(sources) < 1 || len(sources) > n.copyLimits.ranges {
		return &ArgumentError{op, "number of sources", len(sources), fmt.Sprintf("1 to %d (MSRC)", n.copyLimits.ranges)}
	}
	total := uint64(0)
	for _, s := range sources {
		if err := n.check(op, s.LBA, uint64(s.Blocks)); err != nil {
			return err
		}
		if most := n.copyLimits.rangeBlocks; most > 0 && s.Blocks > uint32(most) {
			return &ArgumentError{op, "number of blocks of a source", s.Blocks, fmt.Sprintf("at most %d (MSSRL)", most)}
		}
		if err := n.protection.checkTags(op, s.StorageTag, s.ReferenceTag); err != nil {
			return err
		}
		total += uint64(s.Blocks)
	}
	switch most := n.copyLimits.blocks; {
	case most > 0 && total > uint64(most):
		return &ArgumentError{op, "number of blocks", total, fmt.Sprintf("at most %d (MCL)", most)}
	case lba >= n.blocks || total > n.blocks-lba:
		return &ArgumentError{op, "LBA", lba, fmt.Sprintf("room for %d blocks within the namespace's %d", total, n.blocks)}
	case o.Protect > 0xf:
		return &ArgumentError{op, "Protect", o.Protect, "four bits"}
	case o.SourceProtect > 0xf:
		return &ArgumentError{op, "SourceProtect", o.SourceProtect, "four bits"}
	case o.Directive > 0xf:
		return &ArgumentError{op, "Directive", o.Directive, "four bits"}
	case len(o.Metadata) > 0:
		return &ArgumentError{op, "length of Metadata", len(o.Metadata), "0: the command carries none"}
	}
	return n.protection.checkTags(op, o.StorageTag, o.ReferenceTag)
}

// copyDescriptors encodes the source range entries, in the format that it returns.
func (n *Namespace) copyDescriptors(sources []CopySource) (format uint32, data []byte) {
	size, tagBytes := 32, 4
	if n.protection.guard != Guard16 {
		format, size, tagBytes = 1, 40, 10
	}
	data = make([]byte, size*len(sources))
	le := binary.LittleEndian
	for i, s := range sources {
		entry := data[size*i:][:size]
		le.PutUint64(entry[8:], s.LBA)
		le.PutUint16(entry[16:], uint16(s.Blocks-1))
		tags := n.protection.tags(s.StorageTag, s.ReferenceTag)
		end := entry[size-4-tagBytes:]
		if format == 0 {
			le.PutUint32(end, lo(tags.Lo))
		} else { // NB: big-endian
			binary.BigEndian.PutUint16(end, uint16(tags.Hi))
			binary.BigEndian.PutUint64(end[2:], tags.Lo)
		}
		le.PutUint16(entry[size-4:], s.ApplicationTag)
		le.PutUint16(entry[size-2:], s.ApplicationMask)
	}
	return format, data
}
