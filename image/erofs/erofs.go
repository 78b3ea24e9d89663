package erofs

import (
	"context"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// format is the name that blkid has for it.
const format = "erofs"

// FileSystem describes an EROFS file system. Its zero value is an empty one, with
// blocks of 4 KiB.
type FileSystem struct {
	// Tree is what the file system holds. nil is an empty root. Plan sorts it.
	Tree *filetree.Tree
	// Label is the volume's name, at most 15 bytes.
	Label string
	// UUID identifies the volume. Zero is one derived from the geometry's seed.
	UUID uuid.UUID
	// BlockSize is the unit of allocation in bytes, a power of two from 512 to
	// 4096, and no less than the sector size. Zero is 4096. Small blocks save room
	// in tiny images, and need Linux 6.4.
	BlockSize int
	// Deduplicate has files of the same content share their blocks, where they have
	// a block or more and no holes. For that, Plan reads each file that is as long
	// as another; Write reads the first of those that share, and it alone.
	Deduplicate bool
}

// Plan lays the file system out from the tree's metadata. A geometry without a size
// gives the smallest volume that holds the tree. What does not fit is a
// [*volume.SizeError] of "bytes", what is out of range an [ErrOption], and what EROFS
// cannot hold an [ErrUnsupported] in a [*filetree.PathError] with the file's name. The
// context's end ends the planning.
func (fs *FileSystem) Plan(ctx context.Context, g volume.Geometry) (volume.Plan, error) {
	p, err := newPlan(ctx, fs, g)
	if err != nil {
		return nil, err
	}
	return p, nil
}

var (
	_ volume.Content   = (*FileSystem)(nil)
	_ volume.Replanner = (*plan)(nil)
)
