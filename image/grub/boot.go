package grub

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/volume"
)

const sectorSize = 512

// Places in boot.img (include/grub/i386/pc/boot.h, GRUB_BOOT_MACHINE_*).
const (
	kernelSectorAt = 0x5c // of the core image, 64 bits
	driveCheckAt   = 0x66 // the jump around the next instructions
	codeSize       = 440  // before the disk's signature and table
)

// What boot.img has there, unpatched: a jump over the place of a FAT's parameters,
// the sector behind the table, a short jump, and a text that it prints.
var (
	bootJump  = []byte{0xeb, 0x63, 0x90}
	shortJump = byte(0xeb)
	bootText  = []byte("GRUB \x00")
)

// BootCode is GRUB's boot code, to be put at the beginning of a disk.
type BootCode struct {
	// Image is the content of boot.img: 512 bytes.
	Image []byte
	// CoreOffset is where the core image begins, in bytes from the beginning of
	// the disk, a multiple of 512. Zero is the beginning of the disk's first
	// partition of type [image.BIOSBoot].
	CoreOffset int64
}

// Locate returns the boot code for a disk, 440 bytes. It is made for
// [image.Blob].Locate. Its errors are [ErrNotBootCode], [ErrSectorSize] and
// [ErrNoCore].
func (c BootCode) Locate(p *image.Plan) (volume.Content, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if p.SectorSize != sectorSize {
		return nil, fmt.Errorf("sectors of %d bytes: %w", p.SectorSize, ErrSectorSize)
	}
	offset := c.CoreOffset
	if offset == 0 {
		i := slices.IndexFunc(p.Partitions, isBIOSBoot)
		if i < 0 {
			return nil, fmt.Errorf("%w: want a partition of type %s, or an offset", ErrNoCore, image.BIOSBoot)
		}
		offset = p.Partitions[i].Start
	}
	if offset < 0 || offset%sectorSize != 0 {
		return nil, fmt.Errorf("%w at offset %d: want a multiple of %d", ErrNoCore, offset, sectorSize)
	}
	b := slices.Clone(c.Image[:codeSize])
	binary.LittleEndian.PutUint64(b[kernelSectorAt:], uint64(offset/sectorSize))
	// As grub-bios-setup does for hard disks: check the drive number that the BIOS
	// has passed, since some pass a wrong one.
	copy(b[driveCheckAt:], []byte{0x90, 0x90})
	return image.RawBytes(b), nil
}

// isBIOSBoot tells partitions of type BIOSBoot, be that given by name or by GUID.
func isBIOSBoot(p image.PlannedPartition) bool {
	id, err := p.Type.GUID()
	want, _ := image.BIOSBoot.GUID()
	return err == nil && id == want
}

// check refuses what is not boot.img as it comes.
func (c BootCode) check() error {
	b := c.Image
	switch {
	case len(b) != sectorSize:
		return fmt.Errorf("%w: it has %d bytes, want %d", ErrNotBootCode, len(b), sectorSize)
	case !bytes.HasPrefix(b, bootJump):
		return fmt.Errorf("%w: it begins with %x, want %x", ErrNotBootCode, b[:len(bootJump)], bootJump)
	case b[driveCheckAt] != shortJump:
		return fmt.Errorf("%w: the byte at %#x is %#x, want %#x as in boot.img before it is installed", ErrNotBootCode, driveCheckAt, b[driveCheckAt], shortJump)
	case !bytes.Contains(b[:codeSize], bootText):
		return fmt.Errorf("%w: it has no text %q", ErrNotBootCode, bootText)
	}
	return nil
}
