package squashfs

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/drivebay/drivebay/image/internal/rofs"
	"github.com/drivebay/drivebay/image/volume"
)

// Reader is the files of a squashfs that somebody has made, to be read: an
// [io/fs.ReadLinkFS] with Open, Stat, Lstat, ReadLink, ReadDir and ReadFile, and a
// [filetree.TreeFS], whose Tree has all that the volume holds. It may be used by
// several goroutines.
//
// Symbolic links are followed as if the volume were the root file system, and
// names need not be UTF-8. Regular files are an io.ReaderAt and io.Seeker. The Sys
// of a file info is a [*filetree.Entry] with owner, time, device, extended
// attributes and the ranges that hold data.
//
// Of what is decompressed, a Reader remembers some 5 MiB at most.
type Reader struct {
	*rofs.FS
	v *readVolume
}

// maxRatio is how many times larger than its volume what it holds is taken for
// possible where memory is needed for it: a file to be read whole, and a list of
// ranges of data.
const maxRatio = 1024

// Open opens the volume of size bytes that r reads. Nothing but the superblock is
// read before it is asked for. The caller keeps owning r, and no one may write to
// it.
//
// A volume that is none is an [ErrNotSquashfs]; one of another version than 4.0,
// or compressed by lzo, lzma or filters of xz for machine code, a
// [volume.ErrFeature]. What makes no sense is a [volume.ErrDamaged], here and
// whenever something is read. The format has no checksums: what is damaged in a
// content need not show, but where it is compressed by gzip or xz, which have some
// of their own.
func Open(r io.ReaderAt, size int64) (*Reader, error) {
	v := &readVolume{r: r, size: size}
	if err := v.readSuperblock(); err != nil {
		return nil, fmt.Errorf("squashfs: %w", err)
	}
	v.meta.max = cachedMeta
	v.data.max = max(minCachedData, cachedData/int(v.sb.BlockSize))
	var err error
	if v.decompress, err = newDecompressor(v.sb.Compression, int(v.sb.BlockSize)); err != nil {
		return nil, fmt.Errorf("squashfs: %w", err)
	}
	return &Reader{rofs.New(v, min(size, math.MaxInt64/maxRatio)*maxRatio), v}, nil
}

// Info describes the volume as its superblock does. Size is where it ends, and
// Files the number of inodes: further names of a file do not count. There is no
// error.
func (r *Reader) Info() (volume.Info, error) {
	used := int64(r.v.sb.BytesUsed)
	return volume.Info{Format: "squashfs", Size: used, Used: used, Files: int64(r.v.sb.Inodes)}, nil
}

// readVolume reads the structures of a volume.
type readVolume struct {
	r          io.ReaderAt
	size       int64
	sb         superblock
	decompress decompressor
	meta, data cache
	listed     listed
}

// Root returns the inode of the root directory.
func (v *readVolume) Root() rofs.ID { return rofs.ID(v.sb.RootInode) }

// damaged returns a [volume.ErrDamaged].
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", volume.ErrDamaged, fmt.Errorf(format, args...))
}

// readAt returns n bytes from a place on, all of which have to be in the volume.
func (v *readVolume) readAt(at uint64, n int, what string) ([]byte, error) {
	if used := v.sb.BytesUsed; at < superblockLen || at > used || uint64(n) > used-at {
		return nil, damaged("%s is %d bytes at %d: want them from %d to %d", what, n, at, superblockLen, used)
	}
	b := make([]byte, n)
	if k, err := v.r.ReadAt(b, int64(at)); k < n {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read %s, %d bytes at %d: %w", what, n, at, err)
	}
	return b, nil
}

var le = binary.LittleEndian
