package main

import (
	"io/fs"
	"os"
	"path/filepath"

	diskfs "github.com/diskfs/go-diskfs"
	"github.com/diskfs/go-diskfs/disk"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/partition/gpt"
)

// writeDiskfs makes an image with go-diskfs's own writers, in the way that is
// fastest for them: each file is written by one call. Links, devices and
// attributes are left out, of which they know nothing.
func writeDiskfs(name, out string) error {
	e := environment{}
	boot, root, whole := e.number("BOOTSIZE"), e.number("SIZE"), e.number("DISKSIZE")
	espStart, rootStart := e.number("ESPSTART"), e.number("ROOTSTART")
	if e.err != nil {
		return e.err
	}
	size := map[string]int64{"diskfs-ext4": root, "diskfs-fat": boot, "diskfs-disk": whole}[name]
	d, err := diskfs.Create(out, size, diskfs.SectorSize512)
	if err != nil {
		return err
	}
	defer d.Close()
	switch name {
	case "diskfs-ext4":
		return fillDiskfs(d, 0, filesystem.TypeExt4, os.Getenv("TREE"))
	case "diskfs-fat":
		return fillDiskfs(d, 0, filesystem.TypeFat32, os.Getenv("BOOT"))
	}
	part := func(index int, start, size int64, t gpt.Type) *gpt.Partition {
		return &gpt.Partition{Index: index, Start: uint64(start / 512), End: uint64((start+size)/512 - 1), Type: t}
	}
	err = d.Partition(&gpt.Table{
		LogicalSectorSize: 512, PhysicalSectorSize: 512, ProtectiveMBR: true,
		Partitions: []*gpt.Partition{
			part(1, espStart, boot, gpt.EFISystemPartition),
			part(2, rootStart, root, gpt.LinuxFilesystem),
		},
	})
	if err != nil {
		return err
	}
	if err := fillDiskfs(d, 1, filesystem.TypeFat32, os.Getenv("BOOT")); err != nil {
		return err
	}
	return fillDiskfs(d, 2, filesystem.TypeExt4, os.Getenv("TREE"))
}

// fillDiskfs makes a file system in a partition, or on the whole disk, and copies
// the directories and regular files of a directory into it.
func fillDiskfs(d *disk.Disk, number int, t filesystem.Type, dir string) error {
	out, err := d.CreateFilesystem(disk.FilesystemSpec{Partition: number, FSType: t, VolumeLabel: "BENCH"})
	if err != nil {
		return err
	}
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		to, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir():
			return out.Mkdir(filepath.ToSlash(to))
		case entry.Type().IsRegular():
			return copyDiskfs(out, filepath.ToSlash(to), name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return out.Close()
}

func copyDiskfs(out filesystem.FileSystem, to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := out.OpenFile(to, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return err
	}
	if len(content) > 0 {
		if _, err := f.Write(content); err != nil {
			return err
		}
	}
	return f.Close()
}
