package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/diskfs/go-diskfs/partition/mbr"
	"github.com/google/uuid"
)

// readTable reads the partition table: a GPT in sectors of 512 or 4096 bytes, or
// an MBR. The GPT's backup will do.
func (d *Disk) readTable() error {
	for _, sector := range []int{512, 4096} {
		if ok, err := d.findGPT(sector); err != nil {
			return err
		} else if ok {
			return d.readGPT(sector)
		}
	}
	return d.readMBR()
}

func (d *Disk) readGPT(sector int) error {
	t, err := gpt.Read(storage{io.NewSectionReader(d.r, 0, d.Size)}, sector, sector)
	if err != nil {
		return err
	}
	d.Table, d.SectorSize, d.ID, d.Recovered = GPT, sector, strings.ToLower(t.GUID), t.RecoveredFromBackup
	for _, p := range t.Partitions {
		if p == nil {
			continue
		}
		id, err := uuid.Parse(string(p.Type))
		if err != nil {
			return err
		}
		start, size, ok := place(p.Start, p.End, sector)
		if !ok {
			return fmt.Errorf("partition %d is from LBA %d to %d", p.Index, p.Start, p.End)
		}
		d.Partitions = append(d.Partitions, DiskPartition{
			Number: p.Index, Name: p.Name, Type: TypeOf(id), ID: strings.ToLower(p.GUID), Attributes: Attributes(p.Attributes),
			Start: start, Size: size,
		})
	}
	return d.readHybrid()
}

// readMBR reads the four primary partitions, and the logical ones in one of them.
// The first sector of a FAT looks like an MBR as well, but for entries that make
// sense.
func (d *Disk) readMBR() error {
	s := storage{io.NewSectionReader(d.r, 0, d.Size)}
	t, err := mbr.Read(s, 512, 512)
	if err != nil || d.Size < 512 {
		return ErrNoTable
	}
	if format, _, _ := probe(io.NewSectionReader(d.r, 0, d.Size)); format != "" {
		return ErrNoTable
	}
	sig := make([]byte, 4)
	if _, err := d.r.ReadAt(sig, signatureAt); err != nil {
		return err
	}
	d.Table, d.SectorSize = MBR, 512
	d.ID = fmt.Sprintf("%08x", binary.LittleEndian.Uint32(sig))
	for i, p := range t.Partitions {
		if p.Type == mbr.Empty || p.Size == 0 {
			continue
		}
		part := DiskPartition{
			Number: i + 1, Type: Type(fmt.Sprintf("%#02x", byte(p.Type))),
			Start: int64(p.Start) * 512, Size: int64(p.Size) * 512,
		}
		if p.Bootable {
			part.Attributes = LegacyBoot
		}
		d.Partitions = append(d.Partitions, part)
	}
	for _, part := range slices.Clone(d.Partitions) {
		if extended(t.Partitions[part.Number-1].Type) {
			return d.readLogical(part) // a disk has one of them
		}
	}
	return nil
}

// storage is a part of a disk, as go-diskfs wants to see it: to be read only.
type storage struct{ *io.SectionReader }

var _ backend.Storage = storage{}

// Stat is not asked for.
func (storage) Stat() (fs.FileInfo, error) { return nil, errors.ErrUnsupported }

// Close does nothing: the disk closes its file.
func (storage) Close() error { return nil }

// Sys has no file to give: ioctls would be for the whole disk.
func (storage) Sys() (*os.File, error) { return nil, backend.ErrNotSuitable }

// Writable refuses to write.
func (storage) Writable() (backend.WritableFile, error) { return nil, backend.ErrIncorrectOpenMode }

// Path has no path to give.
func (storage) Path() string { return "" }
