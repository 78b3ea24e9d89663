package image

import (
	"errors"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/volume"
)

// Sizes in bytes.
const (
	KiB int64 = 1 << 10
	MiB int64 = 1 << 20
	GiB int64 = 1 << 30
	TiB int64 = 1 << 40
)

// Table is a kind of partition table.
type Table int

// The kinds of partition tables.
const (
	// GPT is the GUID partition table (UEFI 2.10, 5.3).
	GPT Table = iota
	// MBR is the table of four primary partitions in the first sector.
	MBR
	// NoTable is a disk without a table: its one partition is all of it.
	NoTable
)

// String returns the table's name as sfdisk has it in its option --label-nested:
// "gpt", "mbr", or "none".
func (t Table) String() string {
	switch t {
	case GPT:
		return "gpt"
	case MBR:
		return "mbr"
	case NoTable:
		return "none"
	}
	return "unknown"
}

// Layout describes a disk: what is to be on it, and where, as far as that
// matters. [Layout.Plan] finds the place of everything else.
type Layout struct {
	// Table is the kind of partition table. Zero is GPT.
	Table Table
	// SectorSize is the logical block size in bytes, 512 or 4096. Zero is 512.
	SectorSize int
	// Size is the size of the disk in bytes, a multiple of SectorSize. Zero is
	// as small as the partitions allow, in whole units of Align.
	Size int64
	// Align is the unit in bytes on which partitions begin and in which those
	// that are fitted to their content are sized. Zero is 1 MiB.
	Align int64
	// Seed is what every UUID and hash seed is derived from that is not given.
	// Zero is a seed made of the layout's own names, types and sizes: the same
	// for the same layout, different for others.
	Seed uuid.UUID
	// Time is when the file systems say that they were made. Zero is the
	// environment's SOURCE_DATE_EPOCH, or else 1980-01-01, the first day that
	// all of them can hold. The times of files are their source's.
	Time time.Time
	// TempDir is the directory for what contents have to put into files before it
	// can be placed, as those do that are compressed. Zero is os.TempDir, and for
	// [Build] the directory of the output: it has the room, is no memory as /tmp may
	// be, and a temporary file that is all of the image can become the output.
	TempDir string
	// ID is the GUID of a GPT disk. The signature of an MBR disk is its first
	// four bytes. Zero is derived from Seed.
	ID uuid.UUID
	// Partitions are the partitions in the order of their numbers, from 1.
	Partitions []Partition
	// Blobs are contents at fixed places outside the partitions, such as a
	// boot loader's.
	Blobs []Blob
}

// Partition describes a partition of a [Layout].
type Partition struct {
	// Name is the partition's name in a GPT, at most 36 UTF-16 code units.
	Name string
	// Type is the type of the partition. Empty is [LinuxGeneric].
	Type Type
	// ID is the partition's GUID. Zero is derived from the layout's Seed.
	ID uuid.UUID
	// Start is where the partition begins, in bytes. Zero is the next aligned
	// place behind the partition before it.
	Start int64
	// Size is the size in bytes. Zero is as small as the content allows, plus
	// Free and FreePercent, in whole units of the layout's Align.
	Size int64
	// MinSize and MaxSize bound, in bytes, a size that is not given. Zero is no
	// bound.
	MinSize, MaxSize int64
	// Free is the room to leave beyond the content, in bytes, and FreePercent
	// the room to leave in percent of what the content needs.
	Free        int64
	FreePercent int
	// Weight is the partition's share of what would be left of the disk, as
	// against the weights of the others. Zero takes nothing of it.
	Weight int
	// Attributes are the partition's flags.
	Attributes Attributes
	// HybridType, on a GPT disk, lists the partition in the MBR as well, with
	// this type. A hybrid MBR has room for three.
	HybridType Type
	// Content is what the partition holds. nil is nothing: all zeros.
	Content volume.Content
}

// Blob is a content at a fixed place of the disk.
type Blob struct {
	// Name is what errors call it.
	Name string
	// Offset is where it begins, in bytes. At 0, up to 440 bytes of boot code
	// fit before the partition table.
	Offset int64
	// Content is what it holds: [Raw].
	Content volume.Content
	// Locate, in place of Content, returns the content once the partitions have
	// their places: boot code tells where one of them begins. It is called for
	// each plan, of which all is known but a size that the layout leaves open.
	Locate func(p *Plan) (volume.Content, error)
}

// Close closes the contents that hold something open: those that are an
// [io.Closer], as a squashfs.FileSystem is, which keeps what it has compressed in
// temporary files. Plans of the layout cannot be written any more then. What
// contents are made of, such as trees, stays open. Close may be called again.
//
// It is for whoever has made the contents: neither [Build] nor [Verify] calls it,
// since the same layout may be built again.
func (l *Layout) Close() error {
	var errs []error
	closeContent := func(content volume.Content) {
		if c, ok := content.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	for _, p := range l.Partitions {
		closeContent(p.Content)
	}
	for _, b := range l.Blobs {
		closeContent(b.Content)
	}
	return errors.Join(errs...)
}

// Attributes are the flags of a partition.
type Attributes uint64

// The attributes of the UEFI specification (2.10, 5.3.3) and of the
// Discoverable Partitions Specification.
const (
	// Required marks a partition that the platform needs.
	Required Attributes = 1 << 0
	// NoBlockIO keeps the firmware from offering the partition.
	NoBlockIO Attributes = 1 << 1
	// LegacyBoot marks the partition that legacy BIOS boot code loads. On an
	// MBR disk it is the active flag, and the only attribute.
	LegacyBoot Attributes = 1 << 2
	// GrowFS asks for the file system to be grown to the partition at boot.
	GrowFS Attributes = 1 << 59
	// ReadOnly asks for the partition to be mounted read-only.
	ReadOnly Attributes = 1 << 60
	// NoAuto keeps the partition from being mounted without being asked for.
	NoAuto Attributes = 1 << 63
)

var attributeNames = []struct {
	bit  Attributes
	name string
}{
	{Required, "required"},
	{NoBlockIO, "no-block-io"},
	{LegacyBoot, "legacy-boot"},
	{GrowFS, "grow-fs"},
	{ReadOnly, "read-only"},
	{NoAuto, "no-auto"},
}
