package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/volume"
)

// reader is the files of a volume, by a reader of our own.
type reader interface {
	fs.FS
	// Info describes the volume, and may take as long as counting its files does.
	Info() (volume.Info, error)
}

// readers are the readers of our own by format.
var readers = map[string]func(r io.ReaderAt, size int64) (reader, error){
	"ext2": readExt, "ext3": readExt, "ext4": readExt,
	"vfat":     func(r io.ReaderAt, size int64) (reader, error) { return fat.Open(r, size) },
	"squashfs": func(r io.ReaderAt, size int64) (reader, error) { return squashfs.Open(r, size) },
	"erofs":    func(r io.ReaderAt, size int64) (reader, error) { return erofs.Open(r, size) },
}

func readExt(r io.ReaderAt, size int64) (reader, error) { return ext4.Open(r, size) }

// FS returns the files of a partition: of ext2, ext3, ext4, FAT, squashfs and EROFS
// by [ext4.Open], [fat.Open], [squashfs.Open] and [erofs.Open], with all that these
// hold; of ISO 9660 by go-diskfs. All others are an [ErrFormat], as is a volume that cannot be read. It is good
// until the disk is closed.
//
// [filetree.FromFS] makes a tree of it, which filetree.Diff compares with a source.
func (d *Disk) FS(number int) (fs.FS, error) {
	part, err := d.partition(number)
	if err != nil {
		return nil, err
	}
	var files fs.FS
	section := d.section(part)
	if open, ok := readers[part.Format]; ok {
		files, err = open(section, section.Size())
	} else if read, ok := diskFSReaders[part.Format]; ok {
		files, err = openDiskFS(read, section)
	} else {
		return nil, fmt.Errorf("read partition %d, %s: %w", number, dash(part.Format), ErrFormat)
	}
	if err != nil {
		return nil, fmt.Errorf("read partition %d, %s: %w: %w", number, part.Format, ErrFormat, err)
	}
	return files, nil
}

// Measure fills in Used and Files of the partitions whose formats tell: ext2, ext3,
// ext4, FAT, squashfs and EROFS. Of a FAT it reads all directories. What cannot be read
// is left as it is, and the error says why, for each partition.
func (d *Disk) Measure() error {
	var errs []error
	for i := range d.Partitions {
		part := &d.Partitions[i]
		open, ok := readers[part.Format]
		if !ok {
			continue
		}
		section := d.section(part)
		r, err := open(section, section.Size())
		if err == nil {
			var info volume.Info
			if info, err = r.Info(); err == nil {
				part.Used, part.Files = info.Used, info.Files
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("partition %d: %w", part.Number, err))
		}
	}
	return errors.Join(errs...)
}
