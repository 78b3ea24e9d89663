package image

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/ext4"
	"github.com/diskfs/go-diskfs/filesystem/fat12"
	"github.com/diskfs/go-diskfs/filesystem/fat16"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
	"github.com/diskfs/go-diskfs/filesystem/squashfs"

	"github.com/drivebay/drivebay/image/filetree"
)

// readers are go-diskfs's readers by format. Those of one format are tried in
// turn: blkid's "vfat" is three of them.
var readers = map[string][]func(b backend.Storage, size, start, sector int64) (filesystem.FileSystem, error){
	"ext4":     {reader(ext4.Read)},
	"vfat":     {reader(fat32.Read), reader(fat16.Read), reader(fat12.Read)},
	"squashfs": {reader(squashfs.Read)},
	"iso9660":  {reader(iso9660.Read)},
}

// reader gives a reader of one file system the type that all have in common.
func reader[F filesystem.FileSystem](read func(backend.Storage, int64, int64, int64) (F, error)) func(backend.Storage, int64, int64, int64) (filesystem.FileSystem, error) {
	return func(b backend.Storage, size, start, sector int64) (filesystem.FileSystem, error) {
		return read(b, size, start, sector)
	}
}

// FS returns the files of a partition, read by go-diskfs: of ext4, FAT, squashfs
// and ISO 9660. All others are an [ErrFormat]. It is good until the disk is
// closed. The file infos of an ext4 have a [*filetree.Entry] as their Sys, with
// the owner, the device number and the times.
func (d *Disk) FS(number int) (fs.FS, error) {
	part, err := d.partition(number)
	if err != nil {
		return nil, err
	}
	err = ErrFormat
	for _, read := range readers[part.Format] {
		files, readErr := open(read, storage{d.section(part)}, part.Size)
		if readErr == nil {
			return diskFS{files}, nil
		}
		err = errors.Join(err, readErr)
	}
	return nil, fmt.Errorf("read partition %d, %s: %w", number, dash(part.Format), err)
}

// open opens a file system, and takes a panic of go-diskfs for what it is: the
// sign of a volume that makes no sense. Every format says its own block size; the
// disk's, which go-diskfs 1.9.4 would hold against some, does not matter.
func open(read func(backend.Storage, int64, int64, int64) (filesystem.FileSystem, error), s storage, size int64) (files filesystem.FileSystem, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("damaged: %v", r)
		}
	}()
	return read(s, size, 0, 0)
}

// diskFS mends what go-diskfs 1.9.4 has wrong as an fs.FS: the root directory of
// a FAT is a directory by IsDir and a regular file by Mode.
type diskFS struct{ filesystem.FileSystem }

// Stat makes diskFS an [fs.StatFS].
func (d diskFS) Stat(name string) (fs.FileInfo, error) {
	info, err := d.FileSystem.Stat(name)
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
