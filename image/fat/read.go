package fat

import (
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/rofs"
	"github.com/drivebay/drivebay/image/volume"
)

// Reader is the files of a FAT12, FAT16 or FAT32 that somebody has made, to be
// read: an [io/fs.ReadLinkFS] with Open, Stat, Lstat, ReadLink, ReadDir and
// ReadFile, and a [filetree.TreeFS]. It may be used by several goroutines.
//
// Names are looked up as they are written, upper and lower case told apart. Files
// have the mode 0644, or 0444 if they are read-only, directories 0755, and all the
// owner 0:0; the root directory is of 1970. Times are taken for UTC. Regular files
// are an io.ReaderAt and io.Seeker.
type Reader struct {
	*rofs.FS
	v *readVolume
}

// Open opens the volume of size bytes that r reads. Nothing but the boot sector is
// read before it is asked for. The caller keeps owning r, and no one may write to
// it. A volume that was not unmounted is read as it is.
//
// A volume that is no FAT is an [ErrNotFAT]. What makes no sense is a
// [volume.ErrDamaged], here and whenever something is read.
func Open(r io.ReaderAt, size int64) (*Reader, error) {
	v := &readVolume{r: r, size: size}
	if err := v.readBoot(); err != nil {
		return nil, fmt.Errorf("fat: %w", err)
	}
	return &Reader{rofs.New(v, size), v}, nil
}

// Type returns the width of the entries of the file allocation table.
func (r *Reader) Type() Type { return r.v.typ }

// Label returns the volume's label, "" for none: that of the root directory, or
// where it has none the boot sector's.
func (r *Reader) Label() (string, error) {
	root, err := r.v.readDir(rootID)
	if err != nil {
		return "", fmt.Errorf("fat: %w", err)
	}
	if root.label == "" {
		return r.v.label, nil
	}
	return root.label, nil
}

// Info describes the volume. To count its files, it reads all directories, and
// where there is no record of what is free (which FAT12 and FAT16 never have), the
// file allocation table.
func (r *Reader) Info() (volume.Info, error) {
	label, err := r.Label()
	if err != nil {
		return volume.Info{}, err
	}
	free, err := r.v.free()
	if err != nil {
		return volume.Info{}, fmt.Errorf("fat: %w", err)
	}
	files := int64(-1) // the root
	err = fs.WalkDir(r, ".", func(_ string, _ fs.DirEntry, err error) error {
		files++
		return err
	})
	return volume.Info{
		Format: format,
		Label:  label,
		UUID:   fmt.Sprintf("%04X-%04X", r.v.id>>16, r.v.id&0xffff),
		Size:   r.v.sectors * r.v.sectorSize,
		Used:   r.v.sectors*r.v.sectorSize - free*r.v.clusterSize,
		Files:  files,
	}, err
}

// rootID is the ID of the root directory, which has no entry. That of any other
// file is where on the volume its entry is.
const rootID rofs.ID = 0

// readVolume reads the structures of a volume.
type readVolume struct {
	r    io.ReaderAt
	size int64

	// What the boot sector says, checked.
	typ         Type
	sectorSize  int64
	sectors     int64
	clusterSize int64
	clusters    int64
	tableAt     int64 // the file allocation table in use, in bytes
	rootAt      int64 // the root directory of FAT12 and FAT16
	rootSize    int64
	rootCluster uint32 // the root directory of FAT32
	dataAt      int64  // cluster 2
	infoAt      int64  // the FSInfo sector, 0 for none
	id          uint32
	label       string // the boot sector's

	table  tableCache
	listed rofs.Sum // the bytes of directories
}

// Root returns the root directory.
func (v *readVolume) Root() rofs.ID { return rootID }

// Stat describes a file.
func (v *readVolume) Stat(id rofs.ID) (rofs.File, error) {
	if id == rootID {
		return rofs.File{Links: 1, Entry: filetree.Dir(0o755)}, nil
	}
	b, err := v.entryBytes(id)
	if err != nil {
		return rofs.File{}, err
	}
	f := rofs.File{Links: 1, Entry: filetree.Entry{
		Mode:       0o644,
		ModTime:    readTime(le.Uint16(b[24:]), le.Uint16(b[22:])),
		AccessTime: readTime(le.Uint16(b[18:]), 0),
	}}
	if b[11]&attrDir != 0 {
		f.Mode = fs.ModeDir | 0o755
		return f, nil
	}
	if b[11]&attrReadOnly != 0 {
		f.Mode = 0o444
	}
	f.Size = int64(le.Uint32(b[28:]))
	f.Open = func() (filetree.Content, error) { return v.open(id) }
	return f, nil
}

// open opens the content of a regular file.
func (v *readVolume) open(id rofs.ID) (filetree.Content, error) {
	b, err := v.entryBytes(id)
	if err != nil {
		return nil, err
	}
	size := int64(le.Uint32(b[28:]))
	runs, err := v.fileRuns(v.firstCluster(b), size)
	if err != nil {
		return nil, err
	}
	return rofs.NewContent(&rofs.RunReader{Volume: v.r, Runs: runs, Size: size}, size), nil
}

// entryBytes returns the directory entry of a file.
func (v *readVolume) entryBytes(id rofs.ID) ([]byte, error) {
	b := make([]byte, entrySize)
	return b, v.readAt(b, int64(id), "a directory entry")
}

// readAt fills b from a place in bytes.
func (v *readVolume) readAt(b []byte, at int64, what string) error {
	if n, err := v.r.ReadAt(b, at); n < len(b) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read %s, %d bytes at %d: %w", what, len(b), at, err)
	}
	return nil
}

// damaged returns a [volume.ErrDamaged].
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", volume.ErrDamaged, fmt.Errorf(format, args...))
}

var le = binary.LittleEndian
