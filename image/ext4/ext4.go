package ext4

import (
	"context"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// None asks for no journal, or for no reserved blocks.
const None = -1

// FileSystem describes an ext4 file system. Its zero value is an empty one, with
// the features and sizes that mke2fs gives a root file system: a journal, blocks
// of 4 KiB, an inode for each 16 KiB, room for resize2fs to grow it while it is
// mounted.
type FileSystem struct {
	// Tree is what the file system holds. nil is nothing but lost+found.
	Tree *filetree.Tree
	// Label is the volume's label, at most 16 bytes.
	Label string
	// UUID identifies the volume. Zero is one derived from the geometry's seed.
	UUID uuid.UUID
	// BlockSize is 1024, 2048 or 4096 bytes, and no less than the sector size.
	// Zero is 4096.
	BlockSize int
	// Inodes is how many files there can be at least, the eleven that every
	// ext4 has for itself included. Zero is what the tree needs, and no less
	// than one for each 16 KiB of the volume.
	Inodes int64
	// JournalSize is in bytes, a multiple of the block size, from 1,024 to
	// 10,240,000 blocks. Zero is by the size of the volume, as mke2fs has it:
	// 4 MiB below 128 MiB, 64 MiB from 2 GiB on, at most 1 GiB, and none in a
	// volume of less than 2,048 blocks; and less where the tree fits a smaller
	// volume, but not this one with its larger journal. [None] is no journal.
	JournalSize int64
	// ReservedPercent is how much of the volume is kept for root, at most 50.
	// Zero is 5, as mke2fs has it, [None] is nothing. What is reserved is a
	// part of the free space and takes nothing from the tree: a volume that
	// just holds its tree may have it too, and keeps the share as it grows.
	ReservedPercent int
}

// Plan lays the file system out. A geometry without a size gives the smallest
// volume that holds the tree. What does not fit is a [*volume.SizeError] of
// "bytes" or "inodes"; what ext4 cannot hold is a [*filetree.PathError] with the
// file's name.
func (fs *FileSystem) Plan(ctx context.Context, g volume.Geometry) (volume.Plan, error) {
	p, err := newPlan(fs, g)
	if err != nil {
		return nil, err
	}
	return p, nil
}

var (
	_ volume.Content   = (*FileSystem)(nil)
	_ volume.Replanner = (*plan)(nil)
)
