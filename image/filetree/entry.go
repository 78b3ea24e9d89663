package filetree

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Limits that every Linux file system shares (include/uapi/linux/limits.h).
const (
	// MaxName is the longest name of a file, in bytes.
	MaxName = 255
	// MaxTarget is the longest target of a symbolic link, in bytes.
	MaxTarget = 4095
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
func (e *Entry) check(path string) error {
	err := checkPath(path)
	if path == "." && e.Mode.IsDir() {
		err = nil
	}
	switch typ := e.Mode.Type(); {
	case err != nil:
	case typ == fs.ModeSymlink && (len(e.Target) == 0 || len(e.Target) > MaxTarget || strings.Contains(e.Target, "\x00")):
		err = fmt.Errorf("symbolic link's target of %d bytes: %w: want 1 to %d bytes and no NUL", len(e.Target), ErrBadEntry, MaxTarget)
	case typ&^fs.ModeDevice == fs.ModeCharDevice, typ == fs.ModeDevice:
		if e.Device.Major >= 1<<12 || e.Device.Minor >= 1<<20 {
			err = fmt.Errorf("device %d:%d: %w: want at most 4095:1048575", e.Device.Major, e.Device.Minor, ErrBadEntry)
		}
	case e.Size < 0 || e.Size != 0 && !e.Mode.IsRegular():
		err = fmt.Errorf("size %d of a file of mode %s: %w", e.Size, e.Mode, ErrBadEntry)
	case e.Mode.IsRegular():
		err = checkData(e.Data, e.Size)
	case typ&fs.ModeIrregular != 0:
		err = fmt.Errorf("mode %s: %w: not a type of file that Linux has", e.Mode, ErrBadEntry)
	}
	if err == nil {
		err = checkXattrs(e.Xattrs)
	}
	if err != nil {
		return &PathError{Op: "add", Path: path, Err: err}
	}
	return nil
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
	for i, x := range xattrs {
		namespace, name, _ := strings.Cut(x.Name, ".")
		if namespace == "" || name == "" || len(x.Name) > MaxName || strings.Contains(x.Name, "\x00") {
			return fmt.Errorf("extended attribute %q: %w: want a name as user.x of at most %d bytes", x.Name, ErrBadEntry, MaxName)
		}
		if len(x.Value) > 1<<16 {
			return fmt.Errorf("extended attribute %q: value of %d bytes: %w: want at most 65536", x.Name, len(x.Value), ErrBadEntry)
		}
		if slices.ContainsFunc(xattrs[:i], func(y Xattr) bool { return x.Name == y.Name }) {
			return fmt.Errorf("extended attribute %q: %w: it is there twice", x.Name, ErrBadEntry)
		}
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

// extra returns the part of e that few entries have, and whether there is any.
func (e *Entry) extra() (extra, bool) {
	x := extra{target: e.Target, device: e.Device, data: e.Data, atime: e.AccessTime, ctime: e.ChangeTime}
	x.xattrs = slices.Clone(e.Xattrs)
	slices.SortFunc(x.xattrs, func(a, b Xattr) int { return strings.Compare(a.Name, b.Name) })
	return x, x.target != "" || x.device != (Device{}) || x.data != nil || x.xattrs != nil ||
		!x.atime.IsZero() || !x.ctime.IsZero()
}

func unixTime(t time.Time) (sec int64, nsec uint32) {
	if t.IsZero() {
		return 0, 0
	}
	return t.Unix(), uint32(t.Nanosecond())
}
