package iso9660

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Level is a level of interchange: which names there may be (ECMA-119, 10).
type Level uint8

// The levels. Names consist of A to Z, 0 to 9 and the underscore, and a dot before
// the extension.
const (
	// Level1 has names of 8 characters and 3 of an extension, for directories of
	// 8, and files of less than 4 GiB.
	Level1 Level = 1
	// Level2 has names of 30 characters with the extension, for directories of
	// 31, and files of less than 4 GiB.
	Level2 Level = 2
	// Level3 has the names of level 2, and files as large as Linux reads: 100
	// extents of 4 GiB.
	Level3 Level = 3
)

// FileSystem is an ISO 9660 file system to be made. The zero value is an empty
// one, with Rock Ridge.
type FileSystem struct {
	// Tree is what the file system is to hold. nil is an empty root. Plan sorts
	// it; it must not change until the volume is written.
	Tree *filetree.Tree
	// VolumeID is the volume's label, at most 32 characters of ASCII without
	// control characters. The standard wants A to Z, 0 to 9 and the underscore;
	// systems take all. Joliet has the first 16 of it.
	VolumeID string
	// SystemID, of at most 32 characters, says what the system area is for.
	// VolumeSetID, PublisherID, PreparerID and ApplicationID, of at most 128, are
	// for people. All are ASCII without control characters.
	SystemID, VolumeSetID, PublisherID, PreparerID, ApplicationID string
	// Level is the level of interchange. Zero is Level3.
	Level Level
	// NoRockRidge leaves Rock Ridge out, and with it owners, permissions, links,
	// devices, upper and lower case, and all names that Level does not hold.
	NoRockRidge bool
	// Joliet adds a second hierarchy, with names of 64 Unicode characters, for
	// Windows. Only directories and regular files are in it.
	Joliet bool
	// MapNames gives files another name where theirs cannot be held, and lists
	// it in Info.Dropped: in Joliet, and where there is no Rock Ridge, by the
	// level. Else such names are refused with an [ErrName]. Upper and lower case
	// are not told apart in names of a level.
	MapNames bool
	// Drop leaves out what cannot be held, and lists it in Info.Dropped:
	// extended attributes; times become the nearest that there is. Without Rock
	// Ridge, links to files become files of their own, and symbolic links,
	// devices, FIFOs and sockets are left out. Else all that is refused with an
	// [ErrUnsupported].
	Drop bool
	// Boot are the boot images of the El Torito catalog; the first is the default.
	// None is no catalog.
	Boot []BootEntry
	// Hybrid has the volume boot as a disk, too. nil is no.
	Hybrid *Hybrid
}

func (fs *FileSystem) level() Level { return cmp.Or(fs.Level, Level3) }

// Plan lays the file system out. It implements [volume.Content]. A geometry
// without a size gives a volume that holds the tree, and behind it 300 KiB of
// zeros: there are drives and loaders that read ahead, and fail at the end. Those
// are the first to go where a size is given.
//
// The geometry's SectorSize may be 512, 1024 or 2048 bytes: no system reads a
// volume from larger ones. What does not fit is a [*volume.SizeError] of "bytes".
// What the tree has that ISO 9660 cannot hold is one error that joins a
// [*filetree.PathError] for each of the first ten files.
func (fs *FileSystem) Plan(ctx context.Context, g volume.Geometry) (volume.Plan, error) {
	if err := fs.check(g); err != nil {
		return nil, err
	}
	p := &plan{options: *fs, tree: fs.Tree, created: g.Time, id: g.Derive("filesystem")}
	if p.created.IsZero() {
		p.created = time.Unix(0, 0)
	}
	if p.tree == nil {
		p.tree = filetree.New()
	}
	p.tree.Sort()
	p.begin()
	if err := p.findBoot(); err != nil {
		return nil, err
	}
	if err := p.scan(); err != nil {
		return nil, err
	}
	if err := p.place(ctx, g); err != nil {
		return nil, err
	}
	return p.Replan(ctx, g)
}

// check refuses options that are out of range.
func (fs *FileSystem) check(g volume.Geometry) error {
	switch {
	case g.SectorSize != 512 && g.SectorSize != 1024 && g.SectorSize != blockSize:
		return badOption("sector size", g.SectorSize, "512, 1024 or 2048")
	case g.Size < 0 || g.Size%int64(g.SectorSize) != 0:
		return badOption("volume size", g.Size, fmt.Sprintf("a multiple of the sector size, %d", g.SectorSize))
	case fs.level() > Level3:
		return badOption("level", fs.Level, "1, 2, 3, or 0 for 3")
	case !g.Time.IsZero() && (g.Time.UTC().Year() < 1 || g.Time.UTC().Year() > lastLongYear):
		return badOption("creation time", g.Time.UTC().Format(time.RFC3339), fmt.Sprintf("years 1 to %d", lastLongYear))
	}
	for _, f := range []struct {
		field, text string
		most        int
	}{
		{"volume ID", fs.VolumeID, 32}, {"system ID", fs.SystemID, 32}, {"volume set ID", fs.VolumeSetID, 128},
		{"publisher ID", fs.PublisherID, 128}, {"preparer ID", fs.PreparerID, 128}, {"application ID", fs.ApplicationID, 128},
	} {
		if !isText(f.text) || len(f.text) > f.most {
			return badOption(f.field, fmt.Sprintf("%q", f.text), fmt.Sprintf("at most %d characters of ASCII without control characters", f.most))
		}
	}
	return fs.checkHybrid(g)
}

// isText reports whether a text is ASCII without control characters.
func isText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// maxBlocks is how many blocks a volume can have: they are counted in 32 bits.
const maxBlocks = math.MaxUint32

var _ volume.Content = (*FileSystem)(nil)
