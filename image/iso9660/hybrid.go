package iso9660

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"unicode/utf16"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/volume"
)

// Hybrid has a volume boot as a disk as well, from a USB stick for example: there
// is a partition table in its system area, which ISO 9660 leaves alone.
//
// Where there is a boot image for UEFI, the table is a GPT with a protective MBR;
// each such image is an EFI system partition in it, and the backup is at the end of
// the volume. Else it is an MBR with one partition of type 0x17 that is the whole
// volume, as isohybrid(1) has it.
type Hybrid struct {
	// BootCode is what a BIOS runs: isohdpfx.bin of ISOLINUX, or the first 432
	// bytes of GRUB's boot_hybrid.img. It has at most 432 bytes; where the first
	// boot entry for BIOS is, which it loads, is told behind them. None is none.
	BootCode []byte
}

// Places in the system area, in bytes (isohybrid(1); UEFI 2.10, table 5.3).
const (
	maxBootCode  = 432
	bootBlockAt  = 432 // of the image for BIOS, in sectors, 64 bits
	signatureAt  = 440
	partitionsAt = 446
)

// Places in a GPT in sectors, and lengths in bytes (UEFI 2.10, table 5.5, 5.6).
const (
	gptHeaderLen  = 92
	gptEntryLen   = 128
	gptEntryCount = 128
	gptArray      = gptEntryLen * gptEntryCount / sectorSize // sectors
	firstUsable   = firstDescriptor * blockSize / sectorSize
)

// checkHybrid refuses what does not go with [FileSystem.Hybrid].
func (fs *FileSystem) checkHybrid(g volume.Geometry) error {
	switch {
	case fs.Hybrid == nil:
		return nil
	case g.Offset != 0:
		return badOption("hybrid volume at", g.Offset, "offset 0: it is a disk of its own, on an image without a partition table")
	case g.SectorSize != sectorSize:
		return badOption("sector size of a hybrid volume", g.SectorSize, "512")
	case len(fs.Hybrid.BootCode) > maxBootCode:
		return badOption("boot code of a length of", len(fs.Hybrid.BootCode), "at most 432 bytes")
	case len(fs.Hybrid.BootCode) > 0 && fs.firstBoot(BIOS) < 0:
		return badOption("boot code of a length of", len(fs.Hybrid.BootCode), "a boot entry for BIOS, which it loads")
	}
	return nil
}

// firstBoot returns the index of the first boot entry for a platform, -1 for none.
func (fs *FileSystem) firstBoot(on Platform) int {
	for i := range fs.Boot {
		if fs.Boot[i].Platform == on {
			return i
		}
	}
	return -1
}

// hasGPT reports whether the volume has a GPT.
func (p *plan) hasGPT() bool { return p.options.Hybrid != nil && p.options.firstBoot(UEFI) >= 0 }

// hybridTail returns how many bytes the backup of a GPT takes, in whole blocks.
func (p *plan) hybridTail() int64 {
	if !p.hasGPT() {
		return 0
	}
	return blocks((gptArray+1)*sectorSize) * blockSize
}

// writeSystemArea writes what is before the volume's descriptors.
func (p *plan) writeSystemArea(o *output) error {
	if p.options.Hybrid == nil {
		return nil
	}
	b := p.masterBootRecord()
	if p.hasGPT() {
		array := p.gptEntries()
		b = append(b, p.gptHeader(array, false)...)
		b = append(b, array...)
	}
	return o.block(0, b)
}

// writeBackup writes the backup of the GPT to the last sectors.
func (p *plan) writeBackup(o *output) error {
	if !p.hasGPT() {
		return nil
	}
	array := p.gptEntries()
	if err := o.w.SkipTo(p.size - (gptArray+1)*sectorSize); err != nil {
		return err
	}
	_, err := o.w.Write(append(array, p.gptHeader(array, true)...))
	return err
}

// sectors returns the size of the volume in sectors of a disk.
func (p *plan) sectors() uint64 { return uint64(p.size / sectorSize) }

// masterBootRecord returns the first sector.
func (p *plan) masterBootRecord() []byte {
	b := make([]byte, sectorSize)
	copy(b, p.options.Hybrid.BootCode)
	if i := p.options.firstBoot(BIOS); i >= 0 && len(p.options.Hybrid.BootCode) > 0 {
		at := p.boot[i].sector()
		if p.boot[i].GRUB {
			at += grubCore
		}
		binary.LittleEndian.PutUint64(b[bootBlockAt:], at)
	}
	const active, protective, hidden = 0x80, 0xee, 0x17
	e := b[partitionsAt : partitionsAt+16]
	copy(e[5:8], "\xfe\xff\xff") // its last sector, beyond what cylinders, heads and sectors reach
	if p.hasGPT() {
		copy(e[1:5], []byte{0, 2, 0, protective})
		binary.LittleEndian.PutUint32(e[8:], 1)
		binary.LittleEndian.PutUint32(e[12:], uint32(min(p.sectors()-1, math.MaxUint32)))
	} else {
		e[0] = active
		copy(e[1:5], []byte{0, 1, 0, hidden})
		binary.LittleEndian.PutUint32(e[12:], uint32(min(p.sectors(), math.MaxUint32)))
		disk := p.derive("disk")
		copy(b[signatureAt:], disk[:4])
	}
	b[510], b[511] = 0x55, 0xaa
	return b
}

// derive returns the UUID for a purpose.
func (p *plan) derive(purpose string) uuid.UUID { return volume.Derive(p.id, purpose) }

// putGUID writes a GUID, whose first three fields are in little endian (UEFI 2.10,
// appendix A).
func putGUID(b []byte, id uuid.UUID) {
	binary.LittleEndian.PutUint32(b, binary.BigEndian.Uint32(id[:]))
	binary.LittleEndian.PutUint16(b[4:], binary.BigEndian.Uint16(id[4:]))
	binary.LittleEndian.PutUint16(b[6:], binary.BigEndian.Uint16(id[6:]))
	copy(b[8:], id[8:])
}

// espType is the type of an EFI system partition (UEFI 2.10, table 5.7).
var espType = uuid.MustParse("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")

// gptEntries returns the partitions of the GPT: the boot images for UEFI.
func (p *plan) gptEntries() []byte {
	b := make([]byte, gptArray*sectorSize)
	next := b
	for i := range p.boot {
		image := &p.boot[i]
		if image.Platform != UEFI {
			continue
		}
		e := next[:gptEntryLen]
		next = next[gptEntryLen:]
		putGUID(e, espType)
		putGUID(e[16:], p.derive(image.name))
		first := image.sector()
		binary.LittleEndian.PutUint64(e[32:], first)
		binary.LittleEndian.PutUint64(e[40:], first+uint64((image.size+sectorSize-1)/sectorSize)-1)
		for i, u := range utf16.Encode([]rune("EFI boot image")) {
			binary.LittleEndian.PutUint16(e[56+2*i:], u)
		}
	}
	return b
}

// gptHeader returns the header of the GPT, or of its backup, in a sector.
func (p *plan) gptHeader(array []byte, backup bool) []byte {
	last := p.sectors() - 1
	self, other, entries := uint64(1), last, uint64(2)
	if backup {
		self, other, entries = last, 1, last-gptArray
	}
	b := make([]byte, sectorSize)
	copy(b, "EFI PART")
	binary.LittleEndian.PutUint32(b[8:], 0x10000)
	binary.LittleEndian.PutUint32(b[12:], gptHeaderLen)
	binary.LittleEndian.PutUint64(b[24:], self)
	binary.LittleEndian.PutUint64(b[32:], other)
	binary.LittleEndian.PutUint64(b[40:], firstUsable)
	binary.LittleEndian.PutUint64(b[48:], last-gptArray-1)
	putGUID(b[56:], p.derive("disk"))
	binary.LittleEndian.PutUint64(b[72:], entries)
	binary.LittleEndian.PutUint32(b[80:], gptEntryCount)
	binary.LittleEndian.PutUint32(b[84:], gptEntryLen)
	binary.LittleEndian.PutUint32(b[88:], crc32.ChecksumIEEE(array))
	binary.LittleEndian.PutUint32(b[16:], crc32.ChecksumIEEE(b[:gptHeaderLen]))
	return b
}
