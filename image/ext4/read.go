package ext4

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/internal/rofs"
	"github.com/drivebay/drivebay/image/volume"
)

// Reader is the files of an ext2, ext3 or ext4 that somebody has made, to be read:
// an [io/fs.ReadLinkFS] with Open, Stat, Lstat, ReadLink, ReadDir and ReadFile, and
// a [filetree.TreeFS], whose Tree has all that the volume holds. It may be used by
// several goroutines.
//
// Symbolic links are followed as if the volume were the root file system, and
// names need not be UTF-8. Regular files are an io.ReaderAt and io.Seeker. The Sys
// of a file info is a [*filetree.Entry] with owner, times, device, extended
// attributes and the ranges that hold data.
type Reader struct {
	*rofs.FS
	v *readVolume
}

// Open opens the volume of size bytes that r reads. Nothing but the superblock is
// read before it is asked for. The caller keeps owning r, and no one may write to
// it.
//
// A volume that is not one of these is an [ErrNotExt]; one that has been mounted
// and not unmounted, so that a part of it is in its journal only, an [ErrJournal].
// What makes no sense is a [volume.ErrDamaged], here and whenever something is
// read, as is all that its checksum (the feature metadata_csum) does not belong to.
// Compression, journal devices, encrypted files and features that are not known
// are a [volume.ErrFeature].
func Open(r io.ReaderAt, size int64) (*Reader, error) {
	v := &readVolume{r: r, size: size}
	if err := v.readSuperblock(); err != nil {
		return nil, fmt.Errorf("ext4: %w", err)
	}
	return &Reader{rofs.New(v, size), v}, nil
}

// Info describes the volume as its superblock does. Files is the number of inodes
// in use, less the root directory and those that the file system has for itself.
// There is no error.
func (r *Reader) Info() (volume.Info, error) {
	sb := &r.v.sb
	info := volume.Info{
		Format: r.v.format(),
		Label:  strings.TrimRight(string(sb.VolumeName[:]), "\x00"),
		Size:   r.v.blocks << r.v.blockBits,
		Used:   (r.v.blocks - r.v.freeBlocks()) << r.v.blockBits,
		Files:  max(0, int64(sb.InodesCount)-int64(sb.FreeInodesCount)-int64(r.v.firstInode)+1),
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
	cache  blockCache
	listed rofs.Sum // the bytes of directories

	// What the superblock says, checked.
	sb         superblock
	seed       uint32 // of checksums
	blockBits  int    // log2 of the size of blocks
	blockSize  int64
	first      int64 // the first block that belongs to a group
	blocks     int64
	groups     int64
	inodeSize  int64
	firstInode uint32 // that is not the file system's own
	descSize   int64
}

func (v *readVolume) incompat(bit uint32) bool { return v.sb.FeatureIncompat&bit != 0 }
func (v *readVolume) roCompat(bit uint32) bool { return v.sb.FeatureROCompat&bit != 0 }

// checksums reports whether metadata has checksums.
func (v *readVolume) checksums() bool { return v.roCompat(roCompatMetadataCsum) }

// Root returns the inode of the root directory.
func (v *readVolume) Root() rofs.ID { return inoRoot }

// damaged returns a [volume.ErrDamaged].
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", volume.ErrDamaged, fmt.Errorf(format, args...))
}

// block returns a block of metadata, which is not to be changed.
func (v *readVolume) block(n int64, what string) ([]byte, error) {
	if b := v.cache.get(n); b != nil {
		return b, nil
	}
	b := make([]byte, v.blockSize)
	if err := v.readBlocks(b, n, what); err != nil {
		return nil, err
	}
	v.cache.put(n, b)
	return b, nil
}

// readBlocks fills b from block n on, of which there have to be so many.
func (v *readVolume) readBlocks(b []byte, n int64, what string) error {
	if count := int64(len(b)) >> v.blockBits; n < v.first || n > v.blocks-count {
		return damaged("%s is at block %d: want one of %d to %d", what, n, v.first, v.blocks-count)
	}
	return v.readAt(b, n<<v.blockBits, what)
}

// readAt fills b from a place in bytes.
func (v *readVolume) readAt(b []byte, at int64, what string) error {
	if k, err := v.r.ReadAt(b, at); k < len(b) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read %s, %d bytes at %d: %w", what, len(b), at, err)
	}
	return nil
}

// checkSum compares a checksum.
func checkSum(got, want uint32, what string, args ...any) error {
	if got == want {
		return nil
	}
	return damaged("%s has the checksum %#08x: want %#08x", fmt.Sprintf(what, args...), got, want)
}

// csum32 continues a checksum over numbers.
func csum32(sum uint32, numbers ...uint32) uint32 {
	for _, n := range numbers {
		sum = crc32cU32(sum, n)
	}
	return sum
}

var le = binary.LittleEndian
