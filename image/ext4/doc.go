// Package ext4 writes ext4 file systems without the kernel, without root and
// without a second look at what has been written, and reads those of others.
//
// # Writing
//
// A [FileSystem] says what there is to be: a tree of files and, where the
// defaults will not do, sizes. Its Plan decides where everything goes, and the
// plan's Write streams the volume front to back:
//
//	root := &ext4.FileSystem{Tree: tree, Label: "root"}
//	plan, err := root.Plan(volume.Geometry{SectorSize: 512, Size: 1 << 30, Seed: seed, Time: created})
//	...
//	err = plan.Write(ctx, w)
//
// What comes out is what mke2fs would make (its features sparse_super,
// large_file, filetype, resize_inode, dir_index, ext_attr, has_journal, extent,
// huge_file, flex_bg, metadata_csum, 64bit, dir_nlink, extra_isize), filled as if
// the kernel had copied the tree into it: owners, modes, times to the nanosecond
// from 1901 to 2446, hard links, devices, holes, extended attributes with access
// control lists and capabilities, and an index for every directory of more than a
// block. The kernel can mount it read-write at once, e2fsck -f has nothing to
// say, and resize2fs grows it.
//
// # How it is laid out
//
// Inodes are numbered in the order of the tree: the files of a directory side by
// side, then what its directories hold. Blocks are handed out lowest first, in
// the order of the inodes, around the tables of the groups. So all that is free
// is at the end, every file is in one piece as far as the tables allow, and the
// two orders say where everything is: the plan remembers eight bytes for a file,
// and writing goes through the same placements again.
//
// The tables of sixteen groups are at the start of the first of them (flex_bg).
// What is unused is marked as such in the groups' descriptors and not written,
// so that an empty file system of 1 TiB takes a few megabytes.
//
// # Reading
//
// [Open] reads any ext2, ext3 or ext4 that is not in use, whoever has made it:
//
//	files, err := ext4.Open(file, size)
//	...
//	b, err := fs.ReadFile(files, "etc/hostname")
//	tree, err := files.Tree()
//
// with extents and indirect blocks, inline data, attributes in inodes of their own,
// bigalloc, meta_bg, blocks up to 64 KiB and inodes of any size. Checksums are
// compared. Names in directories that fold case are looked up as they are
// written. Nothing but what is asked for is read, and nothing that a volume says is
// believed: memory and time are bounded by its size.
//
// # Determinism
//
// The same tree, parameters and geometry give the same bytes. The UUID and the
// seed of the directories' hashes derive from the geometry's seed, the times of
// creation are its time, the order in which the tree was made does not matter,
// and no inode has a random generation.
//
// # Limits
//
// Volumes of 16 TiB with blocks of 4 KiB, and of 512 GiB with blocks of 1 KiB,
// where the group descriptors of more would fill the groups. Files of 16 TiB
// (4 TiB). Extended attributes of an inode are at most a block and what fits the
// inode. The index of a directory has two levels: some 30 million names of
// 20 bytes, 400,000 in blocks of 1 KiB. Quotas, encryption, case folding, inline
// data and verity are not written. Encrypted files and journals that have not been
// replayed are not read.
//
// The format is that of Linux 6.12, fs/ext4/ext4.h and
// Documentation/filesystems/ext4.
package ext4
