package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/diskfs/go-diskfs/partition/mbr"
	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

// Places in the first sector of a disk, in bytes.
const (
	bootCodeSize  = 440 // what a boot loader may use
	signatureAt   = 440 // four bytes by which an MBR disk is known
	gptEntryArray = 128 * gpt.PartitionEntrySize
)

// reserved returns how many bytes at the head and at the tail of a disk belong to
// its table.
func reserved(t Table, sector int) (head, tail int64) {
	switch t {
	case GPT: // MBR, header, entries; entries, header
		return int64(2*sector + gptEntryArray), int64(gptEntryArray + sector)
	case MBR:
		return int64(sector), 0
	}
	return 0, 0
}

// usable returns what partitions may use of a disk: its first byte, and the
// first byte behind, which is 0 while the size is open.
func usable(t Table, sector int, size int64) (begin, end int64) {
	begin, tail := reserved(t, sector)
	if size == 0 {
		return begin, 0
	}
	return begin, size - tail
}

// tables returns the regions that the partition table takes. Those of a table with
// IDs that are not known yet are encoded again when these are.
func (p *Plan) tables() ([]region, error) {
	if p.Table == NoTable {
		return nil, nil
	}
	m, err := p.encodeTables()
	if err != nil {
		return nil, err
	}
	regions := []region{p.tableRegion(tableRegion, bootCodeSize, m, func(m *tableSink) []byte { return m.head[bootCodeSize:] })}
	if len(m.tail) > 0 {
		regions = append(regions, p.tableRegion(backupRegion, p.Size-int64(len(m.tail)), m, func(m *tableSink) []byte { return m.tail }))
	}
	return regions, nil
}

// encodeTables encodes the partition table into memory, by go-diskfs.
func (p *Plan) encodeTables() (*tableSink, error) {
	head, tail := reserved(p.Table, p.SectorSize)
	m := &tableSink{head: make([]byte, head), tail: make([]byte, tail), size: p.Size}
	if err := p.writeMBR(m); err != nil {
		return nil, err
	}
	if p.Table == GPT {
		return m, p.writeGPT(m)
	}
	return m, nil
}

// tableRegion returns the region of one of a table's two ends.
func (p *Plan) tableRegion(name string, offset int64, m *tableSink, end func(*tableSink) []byte) region {
	r := bytesRegion(name, offset, end(m))
	if r.needs = p.openIDs(); len(r.needs) == 0 {
		return r
	}
	r.write = nil
	r.derive = func(_ context.Context, w *volume.Writer, trees []*verity.Tree) error {
		q, err := p.identified(trees)
		if err != nil {
			return err
		}
		m, err := q.encodeTables()
		if err != nil {
			return err
		}
		_, err = w.Write(end(m))
		return err
	}
	return r
}

func (p *Plan) writeGPT(m *tableSink) error {
	t := &gpt.Table{
		LogicalSectorSize: p.SectorSize, PhysicalSectorSize: p.SectorSize,
		GUID: strings.ToUpper(p.ID.String()),
	}
	for i := range p.Partitions {
		part := &p.Partitions[i]
		id, err := part.Type.GUID()
		if err != nil {
			return err // checked before
		}
		t.Partitions = append(t.Partitions, &gpt.Partition{
			Index:      part.Number,
			Start:      uint64(part.Start / int64(p.SectorSize)),
			End:        uint64(part.End()/int64(p.SectorSize)) - 1,
			Type:       gpt.Type(strings.ToUpper(id.String())),
			Name:       part.Name,
			GUID:       part.ID.String(),
			Attributes: uint64(part.Attributes),
		})
	}
	return t.Write(m, p.Size)
}

// writeMBR writes the table of an MBR disk, or the protective or hybrid one of a
// GPT disk. The latter is not left to go-diskfs 1.9.4, whose protective entry is
// truncated from 2 TiB on (UEFI 2.10, table 5.4: as much as fits).
func (p *Plan) writeMBR(m *tableSink) error {
	t := &mbr.Table{}
	if p.Table == GPT {
		sectors := p.Size/int64(p.SectorSize) - 1
		for _, part := range p.Partitions {
			if part.mbrType != 0 { // a hybrid MBR: no two of its entries may overlap
				sectors = min(sectors, part.Start/int64(p.SectorSize)-1)
			}
		}
		t.Partitions = append(t.Partitions, mbrPartition(mbr.Type(0xee), 1, uint32(min(sectors, math.MaxUint32))))
	} else {
		// The disk signature, by which Linux names the partitions of an MBR.
		copy(m.head[signatureAt:], p.ID[:4])
	}
	for i := range p.Partitions {
		part := &p.Partitions[i]
		if p.Table == GPT && part.mbrType == 0 {
			continue
		}
		start, size := part.Start/int64(p.SectorSize), part.Size/int64(p.SectorSize)
		if start+size > math.MaxUint32 {
			return &LayoutError{Object: objectName("partition", i, part.Name), Field: "end", Value: part.End(),
				Want: fmt.Sprintf("at most %d, all that an MBR with sectors of %d bytes reaches", math.MaxUint32*int64(p.SectorSize), p.SectorSize)}
		}
		e := mbrPartition(mbr.Type(part.mbrType), uint32(start), uint32(size))
		e.Bootable = part.Attributes&LegacyBoot != 0
		t.Partitions = append(t.Partitions, e)
	}
	return t.Write(m, p.Size)
}

// mbrPartition returns an entry whose cylinder, head and sector, of no use for a
// century, are the values that mean so; those of the first sector are exact.
func mbrPartition(t mbr.Type, start, size uint32) *mbr.Partition {
	p := &mbr.Partition{
		Type: t, Start: start, Size: size,
		StartHead: 0xfe, StartSector: 0xff, StartCylinder: 0xff,
		EndHead: 0xfe, EndSector: 0xff, EndCylinder: 0xff,
	}
	if start == 1 {
		p.StartHead, p.StartSector, p.StartCylinder = 0, 2, 0
	}
	return p
}

// signature returns the signature of an MBR disk with an ID, as blkid prints it.
func signature(id uuid.UUID) string {
	return fmt.Sprintf("%02x%02x%02x%02x", id[3], id[2], id[1], id[0])
}

func bytesRegion(name string, offset int64, data []byte) region {
	return region{name: name, offset: offset, size: int64(len(data)), write: func(_ context.Context, w *volume.Writer) error {
		_, err := w.Write(data)
		return err
	}}
}

// tableSink is the disk that go-diskfs sees when it writes a table: the two ends
// of it, in memory.
type tableSink struct {
	head, tail []byte
	size       int64
}

func (m *tableSink) WriteAt(p []byte, off int64) (int, error) {
	if end := off + int64(len(p)); end <= int64(len(m.head)) {
		return copy(m.head[off:], p), nil
	}
	if at := off - (m.size - int64(len(m.tail))); at >= 0 {
		return copy(m.tail[at:], p), nil
	}
	return 0, fmt.Errorf("partition table of %d bytes at offset %d is outside the room for it", len(p), off)
}

// What go-diskfs asks of a file beside writing, and does not use here.

func (*tableSink) Stat() (fs.FileInfo, error)        { return nil, errors.ErrUnsupported }
func (*tableSink) Read([]byte) (int, error)          { return 0, errors.ErrUnsupported }
func (*tableSink) ReadAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }
func (*tableSink) Seek(int64, int) (int64, error)    { return 0, errors.ErrUnsupported }
func (*tableSink) Close() error                      { return nil }
