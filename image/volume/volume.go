// Package volume is the contract between a disk image and the writers that
// fill its partitions: file systems, swap, raw data.
//
// A writer works in two steps, because populating a volume once, from contents
// that are known beforehand, needs no second look at what has been written:
//
//   - [Content.Plan] decides where every byte goes. It reads metadata and never
//     contents, and it writes nothing, so that a volume that cannot fit or
//     cannot hold what it is given is refused before there is an output. The
//     exception is a content whose size depends on its bytes, as it does where
//     they are compressed: its Plan reads them, once, and keeps what it makes of
//     them in temporary files until it is written.
//   - [Plan.Write] streams the volume front to back into a [Writer]: memory is
//     bounded, the output may be a pipe, and holes cost nothing.
//
// The same Content and [Geometry] give the same bytes, always: whatever looks
// random is derived from Geometry.Seed, whatever looks like a clock from
// Geometry.Time.
package volume

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Geometry is what the disk decides for a volume on it.
type Geometry struct {
	// SectorSize is the disk's logical block size in bytes, 512 or 4096.
	SectorSize int
	// Offset is where the volume begins on the disk, in bytes. Boot sectors
	// record it: FAT calls it hidden sectors.
	Offset int64
	// Size is the volume's size in bytes, a multiple of SectorSize.
	// Zero asks for the smallest volume that holds the content.
	Size int64
	// Seed is what the volume derives its UUIDs and hash seeds from, where
	// the content does not state them.
	Seed uuid.UUID
	// Time is the moment of creation that the volume records, and the time of
	// whatever the content gives none.
	Time time.Time
	// TempDir is where there is room for temporary files, of the volume's size if
	// need be: beside the output, where that is a file. "" is os.TempDir.
	TempDir string
}

// Derive returns the UUID that the seed gives for a purpose ("filesystem",
// "hash-seed"): a version 8 UUID, the same for the same seed and purpose.
func (g Geometry) Derive(purpose string) uuid.UUID {
	return Derive(g.Seed, purpose)
}

// Derive returns the UUID that a seed gives for a purpose. It is a UUID of
// version 8 (RFC 9562, 5.8) made by SHA-256 of both, the same on every machine.
func Derive(seed uuid.UUID, purpose string) uuid.UUID {
	return uuid.NewHash(newSHA256(), seed, []byte(purpose), 8)
}

// Content is what a partition is to hold.
type Content interface {
	// Plan lays the content out on a volume. A content that does not fit
	// g.Size is refused with a [*SizeError]. Where the volume is to be
	// fitted to its content, it is called twice, without a size and with the one
	// chosen, but for plans that are a [Replanner].
	// A context that ends matters where contents are read.
	Plan(ctx context.Context, g Geometry) (Plan, error)
}

// Plan is a volume of which the place of every byte is known.
type Plan interface {
	// Info describes the volume.
	Info() Info
	// Write writes the volume, each byte once and in order, and leaves out
	// what is zero. It may be called more than once, and gives the same bytes
	// each time; a source that has changed since the plan is an error.
	Write(ctx context.Context, w *Writer) error
}

// Info describes a planned volume.
type Info struct {
	// Format is the name under which the kernel mounts the volume ("ext4",
	// "vfat"), or what else it is ("swap", "raw").
	Format string
	// Label is the volume's label, "" for none.
	Label string
	// UUID is the volume's identifier as blkid prints it, "" for none.
	UUID string
	// Size is the size of the volume in bytes.
	Size int64
	// Used is how much of it is not free to be written later, in bytes.
	Used int64
	// Free lists what of it is free: nobody reads there before having written, so
	// that a disk that has been in use may keep what it has there. Extents are in
	// order and do not touch. None is listed where that is not known.
	Free []Extent
	// Files is the number of names in the volume, 0 where there are none.
	Files int64
	// Dropped lists what the format cannot hold and the content was told to
	// leave out: one line each, path first.
	Dropped []string
	// Varies says why the bytes are not the same each time that the volume is
	// written, as they should be: "" where they are.
	Varies string
}

// Extent is a row of bytes.
type Extent struct {
	// Offset is where it begins, from the start of the volume or the disk.
	Offset int64
	// Length is how many there are.
	Length int64
}

// End returns the offset behind the last byte.
func (e Extent) End() int64 { return e.Offset + e.Length }
