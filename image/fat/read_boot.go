package fat

import (
	"fmt"
	"io"
	"math/bits"
)

// readBoot reads the boot sector and refuses what cannot be (fatgen103, "Boot
// Sector and BPB Structure").
func (v *readVolume) readBoot() error {
	b := make([]byte, bootSize)
	if n, err := v.r.ReadAt(b, 0); n < len(b) && err != io.EOF {
		return fmt.Errorf("read boot sector: %w", err)
	}
	if err := v.checkSectors(b); err != nil {
		return err
	}
	reserved, copies := int64(le.Uint16(b[14:])), int64(b[16])
	table := int64(le.Uint16(b[22:]))
	is32 := table == 0 // as the kernel tells FAT32 from the others
	if is32 {
		table = int64(le.Uint32(b[36:]))
	}
	if reserved == 0 || copies == 0 || table == 0 {
		return fmt.Errorf("%w: its boot sector has %d reserved sectors and %d tables of %d: want some of each", ErrNotFAT, reserved, copies, table)
	}
	if v.sectors > v.size/v.sectorSize {
		return damaged("the boot sector has %d sectors of %d bytes: want at most %d in the volume's %d bytes", v.sectors, v.sectorSize, v.size/v.sectorSize, v.size)
	}
	rootSectors := ceil(int64(le.Uint16(b[17:]))*entrySize, v.sectorSize)
	data := reserved + copies*table + rootSectors
	v.clusters = (v.sectors - data) / (v.clusterSize / v.sectorSize)
	if data > v.sectors || v.clusters < 1 {
		return damaged("the boot sector has its data at sector %d: want room for a cluster before its end at %d", data, v.sectors)
	}
	v.tableAt = reserved * v.sectorSize
	v.rootAt = (data - rootSectors) * v.sectorSize
	v.rootSize = int64(le.Uint16(b[17:])) * entrySize
	v.dataAt = data * v.sectorSize
	if err := v.readType(is32); err != nil {
		return err
	}
	rest := b[36:]
	if is32 {
		rest = b[64:]
		if err := v.readBoot32(b, table, copies); err != nil {
			return err
		}
	}
	if need := v.typ.tableBytes(v.clusters); need > table*v.sectorSize {
		return damaged("%s with %d clusters has a table of %d bytes: want at least %d", v.typ, v.clusters, table*v.sectorSize, need)
	}
	if sig := rest[2]; sig == 0x29 || sig == 0x28 {
		v.id = le.Uint32(rest[3:])
		if sig == 0x29 {
			v.label = labelText(rest[7:18])
		}
	}
	return nil
}

// checkSectors reads the sizes of sectors and clusters.
func (v *readVolume) checkSectors(b []byte) error {
	v.sectorSize = int64(le.Uint16(b[11:]))
	if v.sectorSize < 512 || v.sectorSize > 4096 || bits.OnesCount64(uint64(v.sectorSize)) != 1 {
		return fmt.Errorf("%w: its boot sector has sectors of %d bytes: want 512, 1024, 2048 or 4096", ErrNotFAT, v.sectorSize)
	}
	if bits.OnesCount8(b[13]) != 1 {
		return fmt.Errorf("%w: its boot sector has clusters of %d sectors: want a power of two", ErrNotFAT, b[13])
	}
	v.clusterSize = int64(b[13]) * v.sectorSize
	if v.sectors = int64(le.Uint16(b[19:])); v.sectors == 0 {
		v.sectors = int64(le.Uint32(b[32:]))
	}
	return nil
}

// readType tells the type by the number of clusters, as every driver does.
func (v *readVolume) readType(is32 bool) error {
	most := int64(maxClusters16)
	switch {
	case is32:
		v.typ, most = FAT32, maxClusters32
	case v.clusters > maxClusters12:
		v.typ = FAT16
	default:
		v.typ = FAT12
	}
	if v.clusters > most {
		return damaged("the boot sector has room for %d clusters: want at most %d of %s", v.clusters, most, v.typ)
	}
	return nil
}

// readBoot32 reads what only FAT32 has.
func (v *readVolume) readBoot32(b []byte, table, copies int64) error {
	v.rootCluster = le.Uint32(b[44:])
	if info := int64(le.Uint16(b[48:])); info != 0xffff {
		v.infoAt = info * v.sectorSize
	}
	if flags := le.Uint16(b[40:]); flags&0x80 != 0 { // one table is in use, the others are not kept
		active := int64(flags & 0xf)
		if active >= copies {
			return damaged("the boot sector has table %d of %d in use", active, copies)
		}
		v.tableAt += active * table * v.sectorSize
	}
	return nil
}

// free returns how many clusters are free.
func (v *readVolume) free() (int64, error) {
	if v.infoAt != 0 {
		b := make([]byte, bootSize)
		if err := v.readAt(b, v.infoAt, "the FSInfo sector"); err != nil {
			return 0, err
		}
		free := int64(le.Uint32(b[488:]))
		if le.Uint32(b[0:]) == infoLead && le.Uint32(b[484:]) == infoMagic && free <= v.clusters {
			return free, nil
		}
	}
	free := int64(0)
	for n := range v.clusters {
		next, err := v.tableEntry(uint32(n + firstCluster))
		if err != nil {
			return 0, err
		}
		if next == 0 {
			free++
		}
	}
	return free, nil
}

// Signatures of the FSInfo sector (fatgen103, "FSInfo Sector Structure").
const (
	infoLead  = 0x41615252
	infoMagic = 0x61417272
)
