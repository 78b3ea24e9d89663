package iso9660

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Platform is the kind of firmware that a boot image is for (El Torito 1.0, figure
// 2; UEFI 2.10, 13.3.2.1).
type Platform uint8

// The platforms.
const (
	BIOS    Platform = 0x00
	PowerPC Platform = 0x01
	Mac     Platform = 0x02
	UEFI    Platform = 0xef
)

// String returns the platform's name.
func (p Platform) String() string {
	switch p {
	case BIOS:
		return "BIOS"
	case PowerPC:
		return "PowerPC"
	case Mac:
		return "Mac"
	case UEFI:
		return "UEFI"
	}
	return fmt.Sprintf("platform %#02x", uint8(p))
}

// BootEntry is a boot image of an El Torito catalog, without emulation: what it
// holds is loaded and started as it is. Either Path or Image says what it is.
type BootEntry struct {
	// Platform is whom it is for. Zero is BIOS.
	Platform Platform
	// Path is a regular file of the tree, as [filetree.Tree.Lookup] takes it.
	Path string
	// Image is a content of its own, which is not in the tree: for UEFI, a
	// [fat.FileSystem] with the loader as EFI/BOOT/BOOTX64.EFI.
	Image volume.Content
	// LoadSegment is where BIOS loads it. Zero is 0x7c0.
	LoadSegment uint16
	// LoadSectors is how much is loaded, in sectors of 512 bytes. Zero is 4 for
	// BIOS, which is what loaders rely on, and all of it for the others, or 0
	// where that is more than 65,535: then UEFI takes all up to the end.
	LoadSectors uint16
	// InfoTable writes to the bytes 8 to 63 of the file at Path where it is, how
	// long, and a checksum, as isolinux.bin and GRUB's eltorito.img want it. The
	// file has to be one of BIOS, of at least 64 bytes, and is read into memory.
	InfoTable bool
	// GRUB writes to the bytes 2548 to 2555 as well where the rest of the file is,
	// for GRUB's boot_hybrid.img as a hybrid volume's boot code. It takes an
	// InfoTable.
	GRUB bool
}

const (
	// maxBootEntries is how many entries the catalog's one block holds, each in a
	// section of its own.
	maxBootEntries = 31
	// sectorSize is the unit of load sizes in bytes.
	sectorSize = 512
	// biosSectors is what a BIOS loads where nothing is said.
	biosSectors = 4
	// infoTableEnd is the length of the part of a file that has an info table at
	// its end, and maxInfoFile the longest file that is given one: what BIOS
	// could load.
	infoTableEnd = 64
	maxInfoFile  = math.MaxUint16 * sectorSize
)

// What of GRUB is where (grub-core/boot/i386/pc: cdboot.S, diskboot.S, boot.S;
// xorrisofs(1), --grub2-boot-info and --grub2-mbr). Its image for discs is cdboot.img
// and behind it, from grubCore on, in sectors, what boot_hybrid.img loads: first a
// sector that has to know, at grubListAt of the file, where the next is.
const (
	grubCore   = 4
	grubListAt = grubCore*sectorSize + 500
)

// bootImage is a boot image in its place.
type bootImage struct {
	*BootEntry
	name string // of its fields in errors
	node filetree.Node
	plan volume.Plan // nil for a file of the tree
	at   uint32
	size int64
}

// findBoot checks the boot entries and finds their files.
func (p *plan) findBoot() error {
	if n := len(p.options.Boot); n > maxBootEntries {
		return badOption("boot entries", n, fmt.Sprintf("at most %d", maxBootEntries))
	}
	for i := range p.options.Boot {
		b := bootImage{BootEntry: &p.options.Boot[i], name: fmt.Sprintf("boot entry %d (%s): ", i+1, p.options.Boot[i].Platform)}
		if (b.Path == "") == (b.Image == nil) {
			return badOption(b.name+"path", fmt.Sprintf("%q", b.Path), "either a path or an image")
		}
		if b.Path != "" {
			n, ok := p.tree.Lookup(b.Path)
			if !ok || kindOf(n) != filetree.ModeRegular || n.Size() == 0 {
				return badOption(b.name+"path", fmt.Sprintf("%q", b.Path), "a regular file in the tree that is not empty")
			}
			b.node, b.size = n.Inode(), n.Size()
		}
		if b.InfoTable && (b.Path == "" || b.Platform != BIOS || b.size < infoTableEnd || b.size > maxInfoFile) {
			return badOption(b.name+"info table", b.InfoTable, fmt.Sprintf("none but in a file at a path, for BIOS, of %d to %d bytes", infoTableEnd, maxInfoFile))
		}
		if b.GRUB && (!b.InfoTable || b.size < grubListAt+8) {
			return badOption(b.name+"GRUB", b.GRUB, fmt.Sprintf("none but with an info table, in a file of at least %d bytes", grubListAt+8))
		}
		p.boot = append(p.boot, b)
	}
	return nil
}

// planImages gives the boot images that are no files the blocks from next on, and
// returns the first behind them.
func (p *plan) planImages(ctx context.Context, g volume.Geometry, next int64) (int64, error) {
	for i := range p.boot {
		b := &p.boot[i]
		if b.Image == nil {
			continue
		}
		v, err := b.Image.Plan(ctx, volume.Geometry{
			SectorSize: sectorSize, Offset: next * blockSize, Time: p.created,
			Seed: g.Derive(fmt.Sprintf("boot image %d", i+1)),
		})
		if err != nil {
			return 0, fmt.Errorf("iso9660: %simage: %w", b.name, err)
		}
		info := v.Info()
		if info.Size == 0 {
			return 0, badOption(b.name+"image of a length of", 0, "one that is not empty")
		}
		b.plan, b.at, b.size = v, uint32(next), info.Size
		for _, d := range info.Dropped {
			p.dropped = append(p.dropped, b.name+d)
		}
		next += blocks(b.size)
	}
	return next, nil
}

// bootRecord returns the volume descriptor that leads to the catalog (El Torito
// 1.0, figure 7).
func (p *plan) bootRecord() []byte {
	b := newDescriptor(typeBootRecord)
	copy(b[7:], "EL TORITO SPECIFICATION")
	binary.LittleEndian.PutUint32(b[71:], p.catalog)
	return b
}

// catalogBytes returns the boot catalog (El Torito 1.0, 2.1 to 2.5): the first
// image is the default, each further one has a section.
func (p *plan) catalogBytes() []byte {
	var validation [32]byte
	validation[0], validation[1] = 1, byte(p.boot[0].Platform)
	validation[30], validation[31] = 0x55, 0xaa
	sum := uint16(0)
	for i := 0; i < len(validation); i += 2 {
		sum += binary.LittleEndian.Uint16(validation[i:])
	}
	binary.LittleEndian.PutUint16(validation[28:], -sum)
	b := validation[:]
	for i := range p.boot {
		image := &p.boot[i]
		if i > 0 {
			header := [32]byte{0: 0x90, 1: byte(image.Platform), 2: 1}
			if i == len(p.boot)-1 {
				header[0] = 0x91
			}
			b = append(b, header[:]...)
		}
		b = append(b, image.entry()...)
	}
	return b
}

// entry returns the image's entry in the catalog (El Torito 1.0, figures 3 and 5).
func (b *bootImage) entry() []byte {
	const bootable, noEmulation = 0x88, 0
	e := make([]byte, 32)
	e[0], e[1] = bootable, noEmulation
	binary.LittleEndian.PutUint16(e[2:], b.LoadSegment)
	binary.LittleEndian.PutUint16(e[6:], b.loadSectors())
	binary.LittleEndian.PutUint32(e[8:], b.at)
	return e
}

func (b *bootImage) loadSectors() uint16 {
	all := (b.size + sectorSize - 1) / sectorSize
	switch {
	case b.LoadSectors != 0:
		return b.LoadSectors
	case b.Platform == BIOS:
		return biosSectors
	case all > math.MaxUint16:
		return 0
	}
	return uint16(all)
}

// putInfo writes into a boot image where it is: its info table (genisoimage(1), EL
// TORITO BOOT INFORMATION TABLE), and what GRUB wants besides.
func (b *bootImage) putInfo(file []byte) {
	sum := uint32(0)
	var word [4]byte
	for i := infoTableEnd; i < len(file); i += len(word) {
		clear(word[:])
		copy(word[:], file[i:])
		sum += binary.LittleEndian.Uint32(word[:])
	}
	clear(file[8:infoTableEnd])
	for i, v := range [...]uint32{firstDescriptor, b.at, uint32(len(file)), sum} {
		binary.LittleEndian.PutUint32(file[8+4*i:], v)
	}
	if b.GRUB {
		binary.LittleEndian.PutUint64(file[grubListAt:], b.sector()+grubCore+1)
	}
}

// sector returns where the image begins, in sectors of a disk.
func (b *bootImage) sector() uint64 { return uint64(b.at) * (blockSize / sectorSize) }
