package image

import (
	"fmt"
	"io"
	"io/fs"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"

	"github.com/drivebay/drivebay/image/filetree"
)

// diskFSReader opens a file system by go-diskfs.
type diskFSReader func(b backend.Storage, size, start, sector int64) (filesystem.FileSystem, error)

// diskFSReaders are the readers of go-diskfs by format.
var diskFSReaders = map[string]diskFSReader{
	"iso9660": newDiskFSReader(iso9660.Read),
}

// newDiskFSReader gives a reader of one file system the type that all have in common.
func newDiskFSReader[F filesystem.FileSystem](read func(backend.Storage, int64, int64, int64) (F, error)) diskFSReader {
	return func(b backend.Storage, size, start, sector int64) (filesystem.FileSystem, error) {
		return read(b, size, start, sector)
	}
}

// openDiskFS opens a file system. Every format says its own block size; the disk's,
// which go-diskfs 1.9.4 would hold against some, does not matter.
func openDiskFS(read diskFSReader, r *io.SectionReader) (files fs.FS, err error) {
	defer mend("open", ".", &err)
	f, err := read(storage{r}, r.Size(), 0, 0)
	if err != nil {
		return nil, err
	}
	return diskFS{f}, nil
}

// diskFS is a file system that go-diskfs 1.9.4 reads, mended where it can be from
// outside: much that is damaged is a panic, and owners and targets of links are in
// types of its own. What cannot be mended: the numbers of devices are 0:0, hard
// links do not show, and a file loses a dot that its name begins with.
type diskFS struct{ filesystem.FileSystem }

// mend makes an error of a panic.
func mend(op, name string, err *error) {
	if r := recover(); r != nil {
		*err = &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("%w: %v", ErrFormat, r)}
	}
}

// Open opens a file.
func (d diskFS) Open(name string) (f fs.File, err error) {
	defer mend("open", name, &err)
	return d.FileSystem.Open(name)
}

// ReadFile reads a file whole.
func (d diskFS) ReadFile(name string) (b []byte, err error) {
	defer mend("read", name, &err)
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// ReadDir reads a directory.
func (d diskFS) ReadDir(name string) (list []fs.DirEntry, err error) {
	defer mend("readdir", name, &err)
	return d.FileSystem.ReadDir(name)
}

// Stat makes diskFS an [fs.StatFS].
func (d diskFS) Stat(name string) (info fs.FileInfo, err error) {
	defer mend("stat", name, &err)
	if info, err = d.FileSystem.Stat(name); err != nil {
		return nil, err
	}
	return newDiskInfo(info), nil
}

// Lstat makes diskFS an [fs.ReadLinkFS]. Stat follows no links.
func (d diskFS) Lstat(name string) (fs.FileInfo, error) { return d.Stat(name) }

// ReadLink returns the target of a symbolic link.
func (d diskFS) ReadLink(name string) (string, error) {
	info, err := d.Stat(name)
	if err != nil {
		return "", err
	}
	if e, ok := info.Sys().(*filetree.Entry); ok && e.Target != "" {
		return e.Target, nil
	}
	return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
}

// diskInfo is a file info with what only go-diskfs's own types tell in a form that
// [filetree.FromFS] takes.
type diskInfo struct {
	fs.FileInfo
	entry filetree.Entry
}

func newDiskInfo(info fs.FileInfo) fs.FileInfo {
	i := &diskInfo{FileInfo: info}
	if s, ok := info.Sys().(*iso9660.StatT); ok {
		i.entry = filetree.Entry{UID: s.UID, GID: s.GID, Target: s.LinkTarget}
	}
	return i
}

// Sys returns a [*filetree.Entry].
func (i *diskInfo) Sys() any { return &i.entry }
