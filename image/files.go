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
