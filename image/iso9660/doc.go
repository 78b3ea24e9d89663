// Package iso9660 writes ISO 9660 file systems: what installers, rescue systems and
// the seeds of cloud images come on, with names and metadata by Rock Ridge and
// Joliet, and bootable by BIOS and UEFI, as a disc and as a disk.
//
// A [FileSystem] says what there is to be. Its Plan finds the place of every byte,
// from metadata alone, and the plan's Write streams the volume front to back:
//
//	fs := &iso9660.FileSystem{Tree: tree, VolumeID: "INSTALL", Joliet: true}
//	plan, err := fs.Plan(ctx, volume.Geometry{SectorSize: 512, Time: created})
//	...
//	err = plan.Write(ctx, w)
//
// # What is kept
//
// With Rock Ridge, which is the default: names of up to 253 bytes, owners,
// permissions, symbolic links, devices, FIFOs and sockets, times to the second from
// 1900 to 2155, which names are one file's (Linux shows each as a file of its own),
// and files of up to 400 GiB. What is not: extended attributes and holes; but for
// SELinux's labels, which are left out in silence as a policy gives such a volume
// one as a whole, the former are refused, or with [FileSystem.Drop] listed.
//
// Besides its Rock Ridge name each file has one of the [Level], made of the other
// where that is no such name, and the same in each run. Without Rock Ridge these are
// all there is, and they are refused where they are not the true names but for upper
// and lower case, or with [FileSystem.MapNames] listed. So are Joliet's.
//
// Directories may be deeper than the eight levels of the standard as long as there
// is Rock Ridge: all systems read that, and nothing is relocated.
//
// # Booting
//
// [FileSystem.Boot] lists boot images: files of the tree, or any content, such as a
// FAT that is made on the way and is in no directory:
//
//	Boot: []iso9660.BootEntry{
//		{Path: "isolinux/isolinux.bin", InfoTable: true},
//		{Platform: iso9660.UEFI, Image: &fat.FileSystem{Tree: loader}},
//	},
//
// [FileSystem.Hybrid] adds a partition table in the system area, by which the same
// image boots from a USB stick. It is the volume's own, so that the volume has to be
// all of a disk without a table of the disk's:
//
//	image.Layout{Table: image.NoTable, Align: 2048, Partitions: []image.Partition{{Content: fs}}}
//
// The backup of its GPT is at the end of whatever size the layout gives it.
//
// # Determinism and memory
//
// The same tree, options and geometry give the same bytes. Of each file 4 bytes are
// kept, of each directory some 100; names are made twice, to learn how long
// directories are, and to write them.
//
// The formats are those of ECMA-119, 4th edition (2019); SUSP and RRIP 1.12 (IEEE
// P1281, P1282); the Joliet Specification (1995); El Torito 1.0 (1995); UEFI 2.10;
// and what Linux 6.12 makes of them in fs/isofs.
package iso9660
