package nvme

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Read reads the blocks from lba on into data, whose length says how many: NVM
// Command Set 1.0, 3.2.4. It is one command, of at most MDTS.
func (n *Namespace) Read(ctx context.Context, lba uint64, data []byte, o IOOptions) error {
	return n.transfer(ctx, "read", IORead, lba, data, &o)
}

// Write writes data to the blocks from lba on: NVM Command Set 1.0, 3.2.6. It is
// one command, of at most MDTS.
func (n *Namespace) Write(ctx context.Context, lba uint64, data []byte, o IOOptions) error {
	return n.transfer(ctx, "write", IOWrite, lba, data, &o)
}

// Compare compares the blocks from lba on with data: NVM Command Set 1.0, 3.2.1.
// If they differ, the error is StatusCompareFailure.
func (n *Namespace) Compare(ctx context.Context, lba uint64, data []byte, o IOOptions) error {
	return n.transfer(ctx, "compare", IOCompare, lba, data, &o)
}

// Verify lets the drive read the blocks from lba on, and check them, without
// returning them: NVM Command Set 1.0, 3.2.5. blocks is 1 to 65536.
func (n *Namespace) Verify(ctx context.Context, lba, blocks uint64, o IOOptions) error {
	return n.ranged(ctx, "verify", IOVerify, lba, blocks, &o, 0)
}

// WriteZeroes makes the blocks from lba on read as zeros: NVM Command Set 1.0,
// 3.2.8. blocks is 1 to 65536. With deallocate (DEAC) the drive should
// deallocate them.
func (n *Namespace) WriteZeroes(ctx context.Context, lba, blocks uint64, deallocate bool, o IOOptions) error {
	return n.ranged(ctx, "write zeroes", IOWriteZeroes, lba, blocks, &o, bit(deallocate, 25))
}

// WriteUncorrectable makes the blocks from lba on unreadable, until they are
// written: NVM Command Set 1.0, 3.2.7. blocks is 1 to 65536.
func (n *Namespace) WriteUncorrectable(ctx context.Context, lba, blocks uint64) error {
	return n.ranged(ctx, "write uncorrectable", IOWriteUncorrectable, lba, blocks, new(IOOptions), 0)
}

// ranged submits a command on a range of blocks that carries no data.
func (n *Namespace) ranged(ctx context.Context, op string, opcode Opcode, lba, blocks uint64, o *IOOptions, cdw12 uint32) error {
	if err := n.check(op, lba, blocks); err != nil {
		return err
	}
	switch {
	case len(o.Metadata) != 0:
		return &ArgumentError{op, "length of Metadata", len(o.Metadata), "0: the command carries none"}
	case o.Protect > 0xf:
		return &ArgumentError{op, "Protect", o.Protect, "four bits"}
	}
	if err := n.protection.checkTags(op, o.StorageTag, o.ReferenceTag); err != nil {
		return err
	}
	cmd := n.command(opcode, lba, blocks, o)
	cmd.CDW12 |= cdw12
	_, err := n.c.Do(ctx, cmd)
	return err
}

// Flush makes lasting what was written to the namespace: NVMe Base 2.0, 7.1.
func (n *Namespace) Flush(ctx context.Context) error {
	_, err := n.c.Do(ctx, Command{Queue: IOQueue, Opcode: IOFlush, NSID: n.id})
	return err
}

// DatasetRange is a range of a Dataset Management command.
type DatasetRange struct {
	Attributes uint32 // context attributes
	Blocks     uint32
	LBA        uint64
}

// DatasetHints say what a Dataset Management command does with its ranges.
type DatasetHints uint8

// Bits of DatasetHints.
const (
	IntegralRead  DatasetHints = 1 << iota // IDR: the ranges are read as a unit
	IntegralWrite                          // IDW: the ranges are written as a unit
	Deallocate                             // AD: the ranges' data are no longer needed
)

// DatasetManagement tells the drive about up to 256 ranges of blocks, and
// deallocates them if hints say so: NVM Command Set 1.0, 3.2.3.
func (n *Namespace) DatasetManagement(ctx context.Context, hints DatasetHints, ranges ...DatasetRange) error {
	const op = "dataset management"
	if len(ranges) < 1 || len(ranges) > 256 {
		return &ArgumentError{op, "number of ranges", len(ranges), "1 to 256"}
	}
	if hints > IntegralRead|IntegralWrite|Deallocate {
		return &ArgumentError{op, "hints", hints, "the bits that are defined"}
	}
	data := make([]byte, 0, 16*len(ranges))
	for _, r := range ranges {
		if r.Blocks == 0 || r.LBA >= n.blocks || uint64(r.Blocks) > n.blocks-r.LBA {
			return &ArgumentError{op, "range", fmt.Sprintf("%d blocks from LBA %d on", r.Blocks, r.LBA), fmt.Sprintf("within the namespace's %d blocks", n.blocks)}
		}
		data = binary.LittleEndian.AppendUint32(data, r.Attributes)
		data = binary.LittleEndian.AppendUint32(data, r.Blocks)
		data = binary.LittleEndian.AppendUint64(data, r.LBA)
	}
	if err := n.check(op, ranges[0].LBA, 1); err != nil {
		return err
	}
	_, err := n.c.Do(ctx, Command{
		Queue: IOQueue, Opcode: IODatasetManagement, NSID: n.id,
		CDW10: uint32(len(ranges) - 1), CDW11: uint32(hints), Data: data,
	})
	return err
}

// LBAStatus says which blocks may be unreadable: NVM Command Set 1.0, 4.2.1.
type LBAStatus struct {
	// Condition is why the drive's answer ended: 0 unknown, 1 complete, 2 more
	// entries than fit.
	Condition uint8
	Ranges    []LBAStatusRange
}

// LBAStatusRange is a range of blocks with the same status.
type LBAStatusRange struct {
	LBA    uint64
	Blocks uint32
	Status uint8 // bits 2:0
}

// LBAStatusAction is where Get LBA Status looks (ATYPE).
type LBAStatusAction uint8

// LBA status actions.
const (
	ScanLBAs    LBAStatusAction = 0x10 // look for untracked blocks, and tell all
	TrackedLBAs LBAStatusAction = 0x11 // tell what is known already
)

// LBAStatus asks for blocks from lba on, within the next blocks of them (0: to
// the end), that may be unreadable. most is how many ranges to return, at most
// 255.
func (n *Namespace) LBAStatus(ctx context.Context, lba uint64, blocks uint16, action LBAStatusAction, most int) (*LBAStatus, error) {
	const op = "get LBA status"
	if err := n.check(op, lba, 1); err != nil {
		return nil, err
	}
	if most < 1 || most > 255 {
		return nil, &ArgumentError{op, "number of ranges", most, "1 to 255"}
	}
	if action != ScanLBAs && action != TrackedLBAs {
		return nil, &ArgumentError{op, "action", action, "one of the constants"}
	}
	page := make([]byte, 8+16*most)
	_, err := n.c.Do(ctx, Command{
		Opcode: AdminGetLBAStatus, NSID: n.id, CDW10: lo(lba), CDW11: hi(lba),
		CDW12: uint32(len(page)/4 - 1), CDW13: uint32(blocks) | uint32(action)<<24, Data: page,
	})
	if err != nil {
		return nil, err
	}
	return decodeLBAStatus(page)
}

func decodeLBAStatus(page []byte) (*LBAStatus, error) {
	if len(page) < 8 {
		return nil, &DecodeError{"LBAStatus", fmt.Sprintf("%d bytes, want 8 or more", len(page))}
	}
	s := &LBAStatus{Condition: page[4]}
	count := binary.LittleEndian.Uint32(page)
	page = page[8:]
	if uint64(count)*16 > uint64(len(page)) {
		return nil, &DecodeError{"LBAStatus", fmt.Sprintf("%d ranges reach past the page", count)}
	}
	for range count {
		s.Ranges = append(s.Ranges, LBAStatusRange{
			LBA: binary.LittleEndian.Uint64(page), Blocks: binary.LittleEndian.Uint32(page[8:]), Status: page[13] & 7,
		})
		page = page[16:]
	}
	return s, nil
}
