package grub

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/volume"
)

// Places in the first sector of a core image: the list of blocks that are to be
// loaded ends it (struct grub_pc_bios_boot_blocklist, 12 bytes). The sectors of a
// core image lie together, so that the list has one item.
const (
	blockStartAt   = 500 // the first sector, 64 bits
	blockCountAt   = 508 // the number of sectors, 16 bits
	blockSegmentAt = 510 // where they are loaded to, 16 bits

	coreSegment = 0x820 // GRUB_BOOT_MACHINE_KERNEL_SEG and the sector itself
)

// Core is a core image. As a content it knows where it lies, and tells its first
// sector.
type Core struct {
	// Image is what grub-mkimage -O i386-pc has made.
	Image []byte
}

// Plan makes Core a [volume.Content]. Its errors are [ErrNotCore], [ErrSectorSize]
// and [*volume.SizeError].
func (c Core) Plan(ctx context.Context, g volume.Geometry) (volume.Plan, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if g.SectorSize != sectorSize {
		return nil, fmt.Errorf("sectors of %d bytes: %w", g.SectorSize, ErrSectorSize)
	}
	b := slices.Clone(c.Image)
	binary.LittleEndian.PutUint64(b[blockStartAt:], uint64(g.Offset/sectorSize)+1)
	return image.RawBytes(b).Plan(ctx, g)
}

// check refuses what is not a core image for a PC's BIOS.
func (c Core) check() error {
	sectors := (len(c.Image) + sectorSize - 1) / sectorSize
	if sectors < 2 {
		return fmt.Errorf("%w: it has %d bytes, want more than the first sector's %d", ErrNotCore, len(c.Image), sectorSize)
	}
	segment := binary.LittleEndian.Uint16(c.Image[blockSegmentAt:])
	count := binary.LittleEndian.Uint16(c.Image[blockCountAt:])
	switch {
	case segment != coreSegment:
		return fmt.Errorf("%w for i386-pc: it is loaded to segment %#x, want %#x", ErrNotCore, segment, coreSegment)
	case int(count) != sectors-1:
		return fmt.Errorf("%w: its first sector tells of %d others, want the %d that it has", ErrNotCore, count, sectors-1)
	}
	return nil
}
