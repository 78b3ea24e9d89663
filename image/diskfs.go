package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/ext4"

	"github.com/drivebay/drivebay/image/filetree"
)

// diskFS is a file system that go-diskfs reads, with what go-diskfs 1.9.4 has
// wrong mended, or refused where it cannot be mended from outside:
//
//   - the root directory of a FAT is a directory by IsDir and a regular file by
//     Mode;
//   - an empty file on FAT cannot be opened;
//   - of a file with holes on ext4, other places of the disk are read, or nothing
//     without an end;
//   - names of 248 bytes and more on ext4, and much that is damaged, are a panic.
type diskFS struct{ filesystem.FileSystem }

// mend makes an error of a panic.
func mend(op, name string, err *error) {
	if r := recover(); r != nil {
		*err = &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("%w: %v", ErrFormat, r)}
	}
}

// Open opens a file. One that has holes on ext4 is an [ErrFormat].
func (d diskFS) Open(name string) (f fs.File, err error) {
	defer mend("open", name, &err)
	info, err := d.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() {
		if info.Size() == 0 {
			return emptyFile{info}, nil
		}
		if i, ok := info.(ext4Info); ok && i.sparse() {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("%w: it has holes, which go-diskfs does not read right", ErrFormat)}
		}
	}
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
	info, err = d.FileSystem.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() && !info.Mode().IsDir() {
		info = dirInfo{info}
	}
	if s, ok := info.Sys().(*ext4.StatT); ok {
		info = ext4Info{info, s}
	}
	return info, nil
}

// Lstat makes diskFS an [fs.ReadLinkFS]. None of the readers follows links in
// Stat.
func (d diskFS) Lstat(name string) (fs.FileInfo, error) { return d.Stat(name) }

// ReadLink returns the target of a symbolic link.
func (d diskFS) ReadLink(name string) (string, error) {
	if r, ok := d.FileSystem.(interface{ ReadLink(string) (string, error) }); ok {
		return r.ReadLink(name)
	}
	return "", &fs.PathError{Op: "readlink", Path: name, Err: errors.ErrUnsupported}
}

// dirInfo is the file info of a directory, its mode included.
type dirInfo struct{ fs.FileInfo }

func (i dirInfo) Mode() fs.FileMode { return i.FileInfo.Mode() | fs.ModeDir }

// ext4Info is the file info of a file of an ext4, with what only go-diskfs's own
// type tells in a form that [filetree.FromFS] takes.
type ext4Info struct {
	fs.FileInfo
	stat *ext4.StatT
}

func (i ext4Info) Sys() any {
	return &filetree.Entry{
		UID: i.stat.UID, GID: i.stat.GID, Device: filetree.Device{Major: i.stat.Major, Minor: i.stat.Minor},
		AccessTime: i.stat.AccessTime, ChangeTime: i.stat.ChangeTime,
	}
}

// sparse reports whether a file has fewer blocks than its size takes. Those of
// its attributes and of its extents may hide a hole as large as they are.
func (i ext4Info) sparse() bool { return int64(i.stat.Blocks)*512 < i.Size() }

// emptyFile is a regular file with nothing in it.
type emptyFile struct{ info fs.FileInfo }

func (e emptyFile) Stat() (fs.FileInfo, error) { return e.info, nil }
func (e emptyFile) Read([]byte) (int, error)   { return 0, io.EOF }
func (e emptyFile) Close() error               { return nil }
