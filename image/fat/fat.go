package fat

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Type is the FAT type: the width of an entry of the file allocation table in
// bits (fatgen103, "FAT Type Determination").
type Type uint8

// The FAT types. Zero chooses by the size of the volume.
const (
	FAT12 Type = 12
	FAT16 Type = 16
	FAT32 Type = 32
)

// String returns the name of the type as boot sectors spell it, "FAT16".
func (t Type) String() string { return fmt.Sprintf("FAT%d", uint8(t)) }

// The numbers of clusters by which every driver tells the type of a volume, and
// the largest number of a FAT32 volume, whose top 4 bits are reserved and whose
// last values are marks.
const (
	maxClusters12 = 4084
	maxClusters16 = 65524
	maxClusters32 = 0x0ffffff5
)

// margin is how far a volume keeps from the numbers at which the type changes,
// on both sides, since much code is off by some there (fatgen103, "FAT Type
// Determination", recommends 16): libblkid takes 4084 clusters for FAT16.
const margin = 16

// clusters returns how many clusters a volume of the type is given, at least and
// at most.
func (t Type) clusters() (least, most int64) {
	switch t {
	case FAT12:
		return 1, maxClusters12 - margin
	case FAT16:
		return maxClusters12 + 1 + margin, maxClusters16 - margin
	}
	return maxClusters16 + 1 + margin, maxClusters32 - margin
}

// tableBytes returns the size of the table for so many clusters, whose entries
// come behind two that are no cluster's.
func (t Type) tableBytes(clusters int64) int64 {
	return ((clusters+2)*int64(t) + 7) / 8
}

// FileSystem is a FAT file system to be made. The zero value is an empty one.
type FileSystem struct {
	// Tree is what the file system is to hold. nil is an empty root. Plan sorts
	// it; it must not change until the volume is written.
	Tree *filetree.Tree
	// Label is the volume's label: 1 to 11 characters of ASCII but for
	// control characters and "*?.,;:/\|+=<>[]", with no space at either end.
	// "" is no label, which FAT writes as "NO NAME". Lower case is kept, as
	// mkfs.fat keeps it, though Windows shows labels in upper case.
	Label string
	// ID is the volume's serial number. 0 derives one from the geometry's seed.
	ID uint32
	// Type is the FAT type. 0 chooses as mkfs.fat 4.2 does: FAT32 from 512 MiB
	// on, FAT12 where 2 KiB clusters make no more than some 4084 of them, FAT16
	// between. Firmware wants FAT32 for an EFI system partition.
	Type Type
	// ClusterSize is the unit of allocation in bytes, a power of two from the
	// sector size to 64 KiB. 0 chooses as mkfs.fat 4.2 does (see [FileSystem.Plan]).
	ClusterSize int
	// Drop leaves out what FAT cannot hold: symbolic links, devices, FIFOs and
	// sockets are left out, hard links become copies, and each is listed in
	// Info.Dropped. Else they are refused with an [ErrUnsupported].
	Drop bool
}

// Plan lays the file system out. It implements [volume.Content].
//
// A volume of a given size gets the type and the cluster size that mkfs.fat 4.2
// would choose, unless the content only fits with another choice. A Size of 0
// gives the smallest volume that holds the content, of whatever type and cluster
// size make it so. What fits in a size fits in all larger ones.
//
// A volume that is too small is a [*volume.SizeError], one that is too large for
// the type or the cluster size that were asked for an [ErrTooLarge]. What the tree
// has that FAT cannot hold is one error that joins a [*filetree.PathError] for each
// of the first ten files.
//
// The geometry's SectorSize may be 512, 1024, 2048 or 4096 bytes.
func (fs *FileSystem) Plan(ctx context.Context, g volume.Geometry) (volume.Plan, error) {
	if err := fs.check(g); err != nil {
		return nil, err
	}
	tree := fs.Tree
	if tree == nil {
		tree = filetree.New()
	}
	tree.Sort()
	c, err := scan(tree, fs.Drop, fs.Label != "")
	if err != nil {
		return nil, err
	}
	l, err := fs.layout(g, c)
	if err != nil {
		return nil, err
	}
	p := &plan{layout: l, content: c, label: fs.Label, id: fs.ID, time: g.Time, size: g.Size, whole: g.Offset == 0}
	if p.id == 0 {
		id := g.Derive("filesystem")
		p.id = binary.LittleEndian.Uint32(id[:])
	}
	if p.size == 0 {
		p.size = l.sectors * l.sectorSize
	}
	if hidden := g.Offset / l.sectorSize; hidden <= math.MaxUint32 {
		p.hidden = uint32(hidden)
	}
	p.allocate()
	return p, nil
}

// check refuses options that are out of range.
func (fs *FileSystem) check(g volume.Geometry) error {
	switch ss := int64(g.SectorSize); {
	case ss != 512 && ss != 1024 && ss != 2048 && ss != 4096:
		return fmt.Errorf("fat: sector size of %d bytes: %w: want 512, 1024, 2048 or 4096", g.SectorSize, ErrOption)
	case g.Size < 0 || g.Size%ss != 0:
		return fmt.Errorf("fat: volume size of %d bytes: %w: want a multiple of the sector size, %d", g.Size, ErrOption, ss)
	case g.Offset < 0 || g.Offset%ss != 0:
		return fmt.Errorf("fat: volume offset of %d bytes: %w: want a multiple of the sector size, %d", g.Offset, ErrOption, ss)
	case g.Size/ss > math.MaxUint32:
		return fmt.Errorf("fat: volume of %d bytes: %w: want at most %d sectors of %d bytes, %d", g.Size, ErrTooLarge, uint32(math.MaxUint32), ss, math.MaxUint32*ss)
	case fs.Type != 0 && fs.Type != FAT12 && fs.Type != FAT16 && fs.Type != FAT32:
		return fmt.Errorf("fat: type %d: %w: want 12, 16, 32, or 0 for any", fs.Type, ErrOption)
	case fs.ClusterSize != 0 && (fs.ClusterSize&(fs.ClusterSize-1) != 0 || int64(fs.ClusterSize) < ss || fs.ClusterSize > maxClusterSize):
		return fmt.Errorf("fat: cluster size of %d bytes: %w: want a power of two from the sector size, %d, to %d", fs.ClusterSize, ErrOption, ss, maxClusterSize)
	}
	return checkLabel(fs.Label)
}
