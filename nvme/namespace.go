package nvme

import (
	"context"
	"fmt"
	"math"
)

// A Namespace reads and writes a namespace of the NVM command set. It knows the
// namespace's size and block size from when it was looked up.
//
// A wrong block size would let the drive write past a buffer. So when a format,
// a change of namespaces or their attachment, a firmware commit or a reset goes
// through a method of the same Controller, the Namespace is of no more use and its
// methods fail with [ErrStale]: look it up anew. What other programs do is not
// noticed.
type Namespace struct {
	c          *Controller
	generation uint64
	id         uint32
	blocks     uint64
	format     LBAFormat
	extended   bool // metadata at the end of each block's data
	protection protection
	maxData    uint64 // bytes; 0 is no limit
	copyLimits struct {
		ranges      int
		rangeBlocks uint16
		blocks      uint32
	}
}

// Namespace looks up an active namespace: it takes two commands, and a third if the
// namespace has protection information.
func (c *Controller) Namespace(ctx context.Context, nsid uint32) (*Namespace, error) {
	const op = "namespace"
	if err := checkNSID(op, nsid, false); err != nil {
		return nil, err
	}
	generation := c.generation.Load()
	l, err := c.knownLimits(ctx)
	if err != nil {
		return nil, err
	}
	id, err := c.IdentifyNamespace(ctx, nsid)
	if err != nil {
		return nil, err
	}
	if id.Size == 0 {
		return nil, &ArgumentError{op, "NSID", nsid, "an active namespace"}
	}
	if !id.Format().Offered() {
		return nil, &DecodeError{"IdentifyNamespace", fmt.Sprintf("the LBA format in use, %d, is not available", id.FormatIndex())}
	}
	protected, err := c.protectionOf(ctx, id, nsid, l.extendedFormats)
	if err != nil {
		return nil, err
	}
	n := &Namespace{
		c: c, generation: generation, id: nsid, blocks: id.Size, format: id.Format(),
		protection: protected, maxData: l.transfer,
	}
	n.extended = id.ExtendedLBA() && n.format.MetadataSize > 0
	n.copyLimits.ranges = int(id.MaxCopyRanges) + 1
	n.copyLimits.rangeBlocks, n.copyLimits.blocks = id.MaxCopyRangeLength, id.MaxCopyLength
	return n, nil
}

// Controller returns what the namespace's commands go through.
func (n *Namespace) Controller() *Controller { return n.c }

// NSID returns the namespace's identifier.
func (n *Namespace) NSID() uint32 { return n.id }

// Blocks returns the namespace's size in logical blocks.
func (n *Namespace) Blocks() uint64 { return n.blocks }

// Format returns the namespace's LBA format.
func (n *Namespace) Format() LBAFormat { return n.format }

// BlockBytes returns how many bytes of a data buffer make up a logical block:
// the metadata is part of it where the namespace has extended LBAs, unless it is
// protection information that ProtectionAction leaves to the drive.
func (n *Namespace) BlockBytes() int {
	if n.extended {
		return n.format.BlockSize() + int(n.format.MetadataSize)
	}
	return n.format.BlockSize()
}

// Protect are the bits that control end-to-end protection information (PRINFO).
type Protect uint8

// Bits of Protect.
const (
	CheckReferenceTag   Protect = 1 << iota // PRCHK bit 0
	CheckApplicationTag                     // PRCHK bit 1
	CheckGuard                              // PRCHK bit 2
	ProtectionAction                        // PRACT: the drive inserts and strips the information
)

// IOOptions are what most I/O commands share. The zero value asks for nothing.
type IOOptions struct {
	ForceUnitAccess bool // FUA
	LimitedRetry    bool // LR

	// Metadata is the buffer of a namespace that has one of its own: the format's
	// MetadataSize for each block. Empty is none.
	Metadata []byte

	Protect         Protect
	SourceProtect   Protect // PRINFOR: what Copy checks of its sources; for it alone
	CheckStorage    bool    // STC: check the storage tag
	StorageTag      uint64  // LBST or ELBST: as many bits as the format has (STS)
	ReferenceTag    uint64  // ILBRT or EILBRT: 32 bits with a 16b guard, less the storage tag's
	ApplicationTag  uint16  // LBAT or ELBAT
	ApplicationMask uint16  // LBATM or ELBATM

	// DatasetHints are the access frequency and the like (DSM) of reads and
	// writes.
	DatasetHints uint8
	// Directive and its Specific part, such as a stream, are for writes.
	Directive DirectiveType
	Specific  uint16
}

func (n *Namespace) check(op string, lba, blocks uint64) error {
	if n.generation != n.c.generation.Load() {
		return fmt.Errorf("nvme: %s on nsid %d: %w", op, n.id, ErrStale)
	}
	switch {
	case lba >= n.blocks:
		return &ArgumentError{op, "LBA", lba, fmt.Sprintf("less than the namespace's %d blocks", n.blocks)}
	case blocks == 0 || blocks > math.MaxUint16+1:
		return &ArgumentError{op, "number of blocks", blocks, "1 to 65536"}
	case blocks > n.blocks-lba:
		return &ArgumentError{op, "number of blocks", blocks, fmt.Sprintf("at most %d from LBA %d on", n.blocks-lba, lba)}
	}
	return nil
}

// command encodes what all commands on a range of blocks share.
func (n *Namespace) command(opcode Opcode, lba, blocks uint64, o *IOOptions) Command {
	cmd := Command{
		Queue: IOQueue, Opcode: opcode, NSID: n.id, CDW10: lo(lba), CDW11: hi(lba),
		CDW12: uint32(blocks-1) | bit(o.CheckStorage, 24) | uint32(o.Protect)<<26 |
			bit(o.ForceUnitAccess, 30) | bit(o.LimitedRetry, 31),
		CDW15: uint32(o.ApplicationTag) | uint32(o.ApplicationMask)<<16,
	}
	cmd.putTags(n.protection.tags(o.StorageTag, o.ReferenceTag))
	return cmd
}

// transfer submits a command that carries the data of blocks.
func (n *Namespace) transfer(ctx context.Context, op string, opcode Opcode, lba uint64, data []byte, o *IOOptions) error {
	block := n.BlockBytes()
	if n.strips(o) {
		block = n.format.BlockSize()
	}
	blocks := len(data) / block
	switch {
	case len(data) == 0 || len(data)%block != 0:
		return &ArgumentError{op, "length of data", len(data), fmt.Sprintf("whole blocks: a multiple of %d", block)}
	case n.maxData > 0 && uint64(len(data)) > n.maxData:
		return &ArgumentError{op, "length of data", len(data), fmt.Sprintf("at most %d bytes (MDTS)", n.maxData)}
	case o.Protect > 0xf:
		return &ArgumentError{op, "Protect", o.Protect, "four bits"}
	}
	if err := n.check(op, lba, uint64(blocks)); err != nil {
		return err
	}
	if err := n.checkMetadata(op, blocks, o); err != nil {
		return err
	}
	if err := n.protection.checkTags(op, o.StorageTag, o.ReferenceTag); err != nil {
		return err
	}
	cmd := n.command(opcode, lba, uint64(blocks), o)
	cmd.Data, cmd.Metadata = data, o.Metadata
	switch opcode {
	case IOWrite:
		if o.Directive > 0xf {
			return &ArgumentError{op, "Directive", o.Directive, "four bits"}
		}
		cmd.CDW12 |= uint32(o.Directive) << 20
		cmd.CDW13 = uint32(o.DatasetHints) | uint32(o.Specific)<<16
	case IORead:
		cmd.CDW13 = uint32(o.DatasetHints)
	}
	_, err := n.c.Do(ctx, cmd)
	return err
}

// strips reports whether the drive makes and strips the metadata itself: with PRACT
// set, where metadata is protection information and nothing else.
func (n *Namespace) strips(o *IOOptions) bool {
	return o.Protect&ProtectionAction != 0 && n.protection.kind != 0 && int(n.format.MetadataSize) == n.protection.size()
}

// checkMetadata wants a buffer for metadata exactly where the drive would use one.
func (n *Namespace) checkMetadata(op string, blocks int, o *IOOptions) error {
	want := 0
	if !n.extended {
		want = blocks * int(n.format.MetadataSize)
	}
	if n.strips(o) {
		want = 0
	}
	if len(o.Metadata) != want {
		return &ArgumentError{op, "length of Metadata", len(o.Metadata), fmt.Sprintf("%d bytes for %d blocks", want, blocks)}
	}
	return nil
}
