package fat

import "encoding/binary"

// bootSize is what a boot sector and the FSInfo sector have of a sector,
// whatever its size.
const bootSize = 512

// Sectors of the reserved area of a FAT32 volume (fatgen103, BPB_FSInfo and
// BPB_BkBootSec).
const (
	infoSector   = 1
	backupSector = 6
)

// Media descriptors (fatgen103, BPB_Media).
const mediaFixed = 0xf8

// floppyDisk is what mkfs.fat gives a volume of the size of a diskette.
type floppyDisk struct {
	sectors     int64 // of 512 bytes
	media       byte
	perTrack    uint16
	perCluster  int64
	rootEntries int64
}

var floppies = [...]floppyDisk{
	{720, 0xfd, 9, 2, 112},
	{1440, 0xf9, 9, 2, 112},
	{2400, 0xf9, 15, 1, 224},
	{2880, 0xf0, 18, 1, 224},
	{5760, 0xf0, 36, 2, 224},
}

// floppy returns the diskette that has so many sectors.
func floppy(sectorSize, sectors int64) (floppyDisk, bool) {
	for _, f := range floppies {
		if sectorSize == 512 && sectors == f.sectors {
			return f, true
		}
	}
	return floppyDisk{}, false
}

// diskShape returns what the boot sector says of the disk, as mkfs.fat does: the
// numbers of the SD card standard, which BIOSes know.
func diskShape(sectors int64) (heads, perTrack uint16) {
	for _, s := range [...]struct {
		sectors         int64
		heads, perTrack uint16
	}{
		{4096, 2, 16},
		{32768, 2, 32},
		{65536, 4, 32},
		{262144, 8, 32},
		{524288, 16, 32},
		{1032192, 16, 63},
		{2064384, 32, 63},
		{4128768, 64, 63},
		{8257536, 128, 63},
	} {
		if sectors <= s.sectors {
			return s.heads, s.perTrack
		}
	}
	return 255, 63
}

// bootSector returns the boot sector of the volume (fatgen103, "Boot Sector and
// BPB Structure").
func (p *plan) bootSector() []byte {
	b := make([]byte, bootSize)
	le := binary.LittleEndian
	heads, perTrack := diskShape(p.size / p.sectorSize)
	drive := byte(0x80)
	if f, ok := p.floppy(); ok {
		heads, perTrack, drive = 2, f.perTrack, 0
	}
	copy(b[3:], "MSWIN4.1") // what fatgen103 recommends: some drivers look
	le.PutUint16(b[11:], uint16(p.sectorSize))
	b[13] = byte(p.perCluster)
	le.PutUint16(b[14:], uint16(p.reserved))
	b[16] = tables
	le.PutUint16(b[17:], uint16(p.rootEntries()))
	if p.sectors < 1<<16 && p.typ != FAT32 {
		le.PutUint16(b[19:], uint16(p.sectors))
	} else {
		le.PutUint32(b[32:], uint32(p.sectors))
	}
	b[21] = p.mediaByte()
	le.PutUint16(b[24:], perTrack)
	le.PutUint16(b[26:], heads)
	le.PutUint32(b[28:], p.hidden)
	rest := b[36:]
	if p.typ == FAT32 {
		le.PutUint32(b[36:], uint32(p.table))
		le.PutUint32(b[44:], p.content.dirs[0].cluster)
		le.PutUint16(b[48:], infoSector)
		le.PutUint16(b[50:], backupSector)
		rest = b[64:]
	} else {
		le.PutUint16(b[22:], uint16(p.table))
	}
	rest[0] = drive
	rest[2] = 0x29 // the three fields that follow are there
	le.PutUint32(rest[3:], p.id)
	label := p.labelBytes()
	copy(rest[7:], label[:])
	copy(rest[18:], p.typ.String()+"   ")
	code := len(b) - len(rest) + 26
	copy(b, []byte{0xeb, byte(code - 2), 0x90}) // jmp code; nop
	copy(b[code:], noBoot)
	le.PutUint16(b[510:], 0xaa55)
	return b
}

// noBoot has the BIOS go on to the next device: int 0x18; hlt; jmp to the hlt.
const noBoot = "\xcd\x18\xf4\xeb\xfd"

// infoSectorBytes returns the FSInfo sector (fatgen103, "FSInfo Sector Structure").
func (p *plan) infoSectorBytes() []byte {
	b := make([]byte, bootSize)
	le := binary.LittleEndian
	le.PutUint32(b[0:], 0x41615252)
	le.PutUint32(b[484:], 0x61417272)
	le.PutUint32(b[488:], uint32(p.free()))
	le.PutUint32(b[492:], p.next-1) // the last that is taken: where a driver goes on
	le.PutUint32(b[508:], 0xaa550000)
	return b
}
