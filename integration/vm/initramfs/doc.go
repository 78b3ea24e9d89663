// Package initramfs writes and reads the archive that a Linux kernel unpacks as
// its first root file system: cpio in the "newc" format, uncompressed.
//
// An [Archive] is a tree of names. It is written in the order of the names, with
// times of zero and inode numbers that count from 1, so that the same names and
// contents are the same bytes whoever adds them in whatever order:
//
//	var a initramfs.Archive
//	err := a.Add("init", initramfs.Entry{Mode: 0o755, Data: program})
//	...
//	_, err = a.WriteTo(file)
//
// The format is that of Documentation/driver-api/early-userspace/buffer-format.rst
// in the sources of Linux 6.12, and init/initramfs.c is what reads it.
package initramfs
