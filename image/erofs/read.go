package erofs

import (
	"bytes"
	"fmt"
	"io"
	"math"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/internal/rofs"
	"github.com/drivebay/drivebay/image/volume"
)

// Reader is the files of an EROFS that somebody has made, to be read: an
// [io/fs.ReadLinkFS] with Open, Stat, Lstat, ReadLink, ReadDir and ReadFile, and a
// [filetree.TreeFS], whose Tree has all that the volume holds. It may be used by
// several goroutines.
//
// Symbolic links are followed as if the volume were the root file system, and
// names need not be UTF-8. Regular files are an io.ReaderAt and io.Seeker. The Sys
// of a file info is a [*filetree.Entry] with owner, time, device, extended
// attributes and the ranges that hold data.
type Reader struct {
	*rofs.FS
	v *readVolume
}

// maxRatio is how many times larger than its volume what it holds is taken for
// possible where memory is needed for it, a file to be read whole or a list of
// ranges of data: a chunk of 4 KiB that is there already takes 4 bytes.
const maxRatio = 1024

// Open opens the volume of size bytes that r reads. Nothing but the superblock is
// read before it is asked for. The caller keeps owning r, and no one may write to
// it.
//
// A volume that is none is an [ErrNotEROFS]. One with further devices, with numbers
// of blocks of 48 bits or with its metadata in a file is a [volume.ErrFeature]. So is
// the content of a file that is compressed, once it is opened; all else of such a file
// is read. What makes no sense is a [volume.ErrDamaged], here and whenever something is
// read. But for the superblock, the format has no checksums.
func Open(r io.ReaderAt, size int64) (*Reader, error) {
	v := &readVolume{r: r, size: size}
	if err := v.readSuperblock(); err != nil {
		return nil, fmt.Errorf("erofs: %w", err)
	}
	return &Reader{rofs.New(v, min(size, math.MaxInt64/maxRatio)*maxRatio), v}, nil
}

// Info describes the volume as its superblock does. Size is where it ends, and
// Files the number of inodes but for the root: further names of a file do not count.
// There is no error.
func (r *Reader) Info() (volume.Info, error) {
	sb := &r.v.sb
	label, _, _ := bytes.Cut(sb.Label[:], []byte{0})
	info := volume.Info{
		Format: format,
		Label:  string(label),
		Size:   r.v.used,
		Used:   r.v.used,
		Files:  int64(min(max(1, sb.Inodes), math.MaxInt64) - 1),
	}
	if sb.UUID != uuid.Nil {
		info.UUID = uuid.UUID(sb.UUID).String()
	}
	return info, nil
}

// readVolume reads the structures of a volume.
type readVolume struct {
	r      io.ReaderAt
	size   int64
	listed rofs.Sum // the bytes of directories
	shared sharedAttrs

	// What the superblock says, checked.
	sb        superblock
	blockSize int64
	used      int64 // bytes, all that there is
	meta      int64 // where inodes are counted from
}

// Root returns the inode of the root directory.
func (v *readVolume) Root() rofs.ID { return rofs.ID(v.sb.RootNID) }

// damaged returns a [volume.ErrDamaged].
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", volume.ErrDamaged, fmt.Errorf(format, args...))
}

// readAt returns n bytes from a place on, all of which have to be in the volume.
func (v *readVolume) readAt(at, n int64, what string) ([]byte, error) {
	if at > v.used || n > v.used-at {
		return nil, damaged("%s is %d bytes at %d: want them before the volume's end at %d", what, n, at, v.used)
	}
	b := make([]byte, n)
	if k, err := v.r.ReadAt(b, at); k < len(b) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read %s, %d bytes at %d: %w", what, n, at, err)
	}
	return b, nil
}
