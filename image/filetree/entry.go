package filetree

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// Limits that every Linux file system shares (include/uapi/linux/limits.h).
const (
	// MaxName is the longest name of a file, in bytes.
	MaxName = 255
	// MaxTarget is the longest target of a symbolic link, in bytes.
	MaxTarget = 4095
	// MaxXattr is the longest value of an extended attribute, in bytes.
	MaxXattr = 65536
)

// Entry describes a file to be added to a [Tree]. Its zero value is an empty
// regular file of mode 0000, owner 0:0 and time 1970.
type Entry struct {
	// Mode is the type and the permissions, with the bits for setuid, setgid
	// and sticky as package fs has them.
	Mode fs.FileMode
	// UID and GID are the owner's numbers.
	UID, GID uint32
	// ModTime is the time of the last change of the content. Zero is 1970.
	ModTime time.Time
	// AccessTime and ChangeTime are ModTime where they are zero.
	AccessTime, ChangeTime time.Time
	// Target is what a symbolic link points to, 1 to [MaxTarget] bytes.
	Target string
	// Device is the number of a character or block device.
	Device Device
	// Xattrs are the extended attributes by full name ("user.mime_type").
	// POSIX ACLs and file capabilities are attributes as any other, in the
	// kernel's own encoding.
	Xattrs []Xattr
	// Size is the length of a regular file's content in bytes.
	Size int64
	// Data lists the ranges that hold data, in order and apart; the rest of the
	// file reads as zero. nil means that all of it is data.
	Data []Range
	// Open opens the content of a regular file. nil is a file of zeros, which is
	// one hole.
	Open Opener
}

// Opener opens the content of a regular file, once for each time it is written.
type Opener func() (Content, error)

// Content is the content of a regular file, read once from front to back. One
// that is an io.Seeker as well is spared reading its holes.
type Content interface {
	io.Reader
	io.Closer
}

// Range is a part of a file.
type Range struct {
	// Offset and Length are in bytes.
	Offset, Length int64
}

// End returns the offset of the first byte behind the range.
func (r Range) End() int64 { return r.Offset + r.Length }

// Device is the number of a device file.
type Device struct {
	// Major has 12 bits and Minor 20 on Linux.
	Major, Minor uint32
}

// Xattr is an extended attribute.
type Xattr struct {
	// Name is the full name with its namespace ("security.capability").
	Name string
	// Value may hold any bytes, or none.
	Value []byte
}

// File returns an entry for a regular file with the given content.
func File(content []byte, perm fs.FileMode) Entry {
	return Entry{
		Mode: perm &^ fs.ModeType,
		Size: int64(len(content)),
		Open: func() (Content, error) {
			return struct {
				io.ReadSeeker
				io.Closer
			}{bytes.NewReader(content), io.NopCloser(nil)}, nil
		},
	}
}

// Dir returns an entry for a directory.
func Dir(perm fs.FileMode) Entry { return Entry{Mode: perm&^fs.ModeType | fs.ModeDir} }

// Symlink returns an entry for a symbolic link to target.
func Symlink(target string) Entry { return Entry{Mode: fs.ModeSymlink | 0o777, Target: target} }

// check refuses what no file system can hold.
func (e *Entry) check() error {
	typ := e.Mode.Type()
	switch typ {
	case 0:
		if e.Size < 0 {
			return fmt.Errorf("size of %d bytes: %w", e.Size, ErrBadEntry)
		}
		if err := checkData(e.Data, e.Size); err != nil {
			return err
		}
	case fs.ModeSymlink:
		if len(e.Target) == 0 || len(e.Target) > MaxTarget || strings.Contains(e.Target, "\x00") {
			return fmt.Errorf("symbolic link's target %.20q of %d bytes: %w: want 1 to %d bytes and no NUL", e.Target, len(e.Target), ErrBadEntry, MaxTarget)
		}
	case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice, fs.ModeCharDevice:
		if e.Device.Major >= 1<<12 || e.Device.Minor >= 1<<20 {
			return fmt.Errorf("device %d:%d: %w: want at most 4095:1048575", e.Device.Major, e.Device.Minor, ErrBadEntry)
		}
	case fs.ModeDir, fs.ModeNamedPipe, fs.ModeSocket:
	default:
		return fmt.Errorf("mode %s: %w: not a type of file that Linux has", e.Mode, ErrBadEntry)
	}
	if typ != 0 && (e.Size != 0 || e.Data != nil || e.Open != nil) {
		return fmt.Errorf("content of a file of mode %s: %w: only regular files have any", e.Mode, ErrBadEntry)
	}
	if typ != fs.ModeSymlink && e.Target != "" {
		return fmt.Errorf("target %.20q of a file of mode %s: %w: only symbolic links have one", e.Target, e.Mode, ErrBadEntry)
	}
	return checkXattrs(e.Xattrs)
}

func checkData(data []Range, size int64) error {
	end := int64(0)
	for _, r := range data {
		if r.Length <= 0 || r.Offset < end || r.Length > size-r.Offset {
			return fmt.Errorf("data range of %d bytes at %d: %w: want ranges in order inside the file's %d bytes", r.Length, r.Offset, ErrBadEntry, size)
		}
		end = r.End()
	}
	return nil
}

func checkXattrs(xattrs []Xattr) error {
	seen := make(map[string]bool, len(xattrs))
	for _, x := range xattrs {
		namespace, name, _ := strings.Cut(x.Name, ".")
		switch {
		case namespace == "" || name == "" || len(x.Name) > MaxName || strings.Contains(x.Name, "\x00"):
			return fmt.Errorf("extended attribute %.30q: %w: want a name as user.x of at most %d bytes", x.Name, ErrBadEntry, MaxName)
		case len(x.Value) > MaxXattr:
			return fmt.Errorf("extended attribute %q: value of %d bytes: %w: want at most %d", x.Name, len(x.Value), ErrBadEntry, MaxXattr)
		case seen[x.Name]:
			return fmt.Errorf("extended attribute %q: %w: it is there twice", x.Name, ErrBadEntry)
		}
		seen[x.Name] = true
	}
	return nil
}

// checkPath refuses a path that is not a clean way down from the root.
func checkPath(path string) error {
	switch {
	case strings.Contains(path, "\x00"):
		return fmt.Errorf("%w: it contains a NUL", ErrBadPath)
	case strings.HasPrefix(path, "/"):
		return fmt.Errorf("%w: it is absolute, want a path relative to the root", ErrBadPath)
	}
	for name := range strings.SplitSeq(path, "/") {
		switch {
		case name == "":
			return fmt.Errorf("%w: it has an empty name", ErrBadPath)
		case name == "." || name == "..":
			return fmt.Errorf("%w: it has the name %q", ErrBadPath, name)
		case len(name) > MaxName:
			return fmt.Errorf("%w: the name %.20q... has %d bytes, want at most %d", ErrBadPath, name, len(name), MaxName)
		}
	}
	return nil
}

// checkName refuses what is not the name of a file in a directory.
func checkName(name string) error {
	if err := checkPath(name); err != nil {
		return err
	}
	if strings.Contains(name, "/") {
		return fmt.Errorf("%w: the name %.20q has a slash", ErrBadPath, name)
	}
	return nil
}
