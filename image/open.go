package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/drivebay/drivebay/image/verity"
)

// Disk is a disk image, or a disk, as it was found: see [Open].
type Disk struct {
	// Table, SectorSize and Size are the disk's. A disk without a table has the
	// sector size 512, and one partition, with the number 0: all of it.
	Table      Table
	SectorSize int
	Size       int64
	// ID is the GUID of a GPT disk or the signature of an MBR disk, as blkid
	// prints it.
	ID string
	// Recovered tells that the table is the backup one, the first being damaged.
	Recovered bool
	// Notes are what is odd about the table, a line each: one of a GPT's two copies
	// is damaged or in a wrong place, a partition reaches past the disk's end.
	Notes []string
	// Partitions are the partitions in the order of their numbers.
	Partitions []DiskPartition

	r      io.ReaderAt
	closer io.Closer // nil where the caller owns it
}

// DiskPartition is a partition as it was found.
type DiskPartition struct {
	// Number is the partition's number, from 1.
	Number int
	// Name, Type, ID and Attributes are what the table says of it. An MBR has no
	// names and IDs.
	Name       string
	Type       Type
	ID         string
	Attributes Attributes
	// HybridType is the type that the MBR of a GPT disk has for the partition, ""
	// where it does not list it.
	HybridType Type
	// Start and Size are its place in bytes, be it on the disk or not: see Notes.
	Start, Size int64
	// Format is what it holds, by the name that blkid has for it, "" where
	// nothing was recognised. Label and UUID are as blkid prints them.
	Format, Label, UUID string
	// Verity describes the hash tree of dm-verity that it holds, nil if it holds
	// none that is known, and RootHash is the hash at the root as the tree has it:
	// whether it is that of the data, veritysetup tells. It is nil where the tree
	// has but one data block, and no level.
	Verity   *verity.Superblock
	RootHash verity.RootHash
	// Used is how much of it is not free, in bytes, and Files the number of files
	// and directories but for the root. Both are 0 before [Disk.Measure], and
	// where the format does not tell.
	Used, Files int64
}

// Open reads the partition table of the image file or block device name, and
// looks what the partitions hold. It changes nothing. A disk without a table that
// holds no volume that is known is an [ErrNoTable]. The disk has to be closed.
//
// Open reads disks that others have made, too, and may be given anything: what
// makes no sense is an error.
func Open(name string) (*Disk, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Seek(0, io.SeekEnd) // of a device, Stat tells none
	if err == nil {
		var d *Disk
		if d, err = OpenReaderAt(f, size); err == nil {
			d.closer = f
			return d, nil
		}
	}
	_ = f.Close()
	return nil, fmt.Errorf("open %s: %w", name, err)
}

// OpenReaderAt is [Open] for a disk of size bytes that r reads. The caller keeps
// owning r, which Close leaves alone.
func OpenReaderAt(r io.ReaderAt, size int64) (*Disk, error) {
	d := &Disk{r: r, Size: size}
	if err := d.readTable(); errors.Is(err, ErrNoTable) {
		d.Table, d.SectorSize = NoTable, 512
		d.Partitions = []DiskPartition{{Size: d.Size}}
	} else if err != nil {
		return nil, err
	}
	for i := range d.Partitions {
		part := &d.Partitions[i]
		if part.Size > d.Size-part.Start {
			d.note("partition %d of %d bytes at %d reaches past the disk's end at %d", part.Number, part.Size, part.Start, d.Size)
		}
		part.Format, part.Label, part.UUID = probe(d.section(part))
		if part.Format == verity.Format {
			d.readTree(part)
		}
	}
	if d.Table == NoTable && d.Partitions[0].Format == "" {
		return nil, ErrNoTable
	}
	return d, nil
}

// readTree reads what a hash tree says of itself.
func (d *Disk) readTree(part *DiskPartition) {
	s, root, err := verity.ReadTree(d.section(part))
	if err != nil {
		d.note("partition %d: %v", part.Number, err)
		return
	}
	part.Verity, part.RootHash = &s, root
}

// Close closes the disk, and with it what was opened by its methods.
func (d *Disk) Close() error {
	if d.closer == nil {
		return nil
	}
	return d.closer.Close()
}

// Section returns the bytes of a partition, as far as they are on the disk.
func (d *Disk) Section(number int) (*io.SectionReader, error) {
	part, err := d.partition(number)
	if err != nil {
		return nil, err
	}
	return d.section(part), nil
}

func (d *Disk) section(part *DiskPartition) *io.SectionReader {
	return io.NewSectionReader(d.r, part.Start, max(0, min(part.Size, d.Size-part.Start)))
}

func (d *Disk) partition(number int) (*DiskPartition, error) {
	for i := range d.Partitions {
		if d.Partitions[i].Number == number {
			return &d.Partitions[i], nil
		}
	}
	return nil, fmt.Errorf("partition %d: %w: there are %d partitions", number, os.ErrNotExist, len(d.Partitions))
}

// String returns the disk as a table: a line for it, one for each partition.
func (d *Disk) String() string { return d.listing().String() }

// MarshalJSON returns the disk with the keys that [Plan.MarshalJSON] has, as far
// as they can be known.
func (d *Disk) MarshalJSON() ([]byte, error) { return json.Marshal(d.listing()) }

func (d *Disk) listing() listing {
	l := listing{Table: d.Table.String(), SectorSize: d.SectorSize, Size: d.Size, ID: d.ID, Notes: d.Notes, Partitions: []row{}}
	for _, part := range d.Partitions {
		l.Partitions = append(l.Partitions, row{
			Number: part.Number, Name: part.Name, Type: part.Type, ID: part.ID, Start: part.Start, Size: part.Size,
			Attributes: part.Attributes, HybridType: part.HybridType, Format: part.Format, Label: part.Label, UUID: part.UUID,
			Used: part.Used, Files: part.Files, Verity: newHashTreeRow(part.Verity),
		})
		if part.RootHash != nil {
			l.Partitions[len(l.Partitions)-1].Verity.RootHash = part.RootHash.String()
		}
	}
	return l
}
