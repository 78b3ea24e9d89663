// Package erofs writes EROFS file systems: read-only, without compression, laid out
// for the kernel to read a file in one go, with everything that Linux knows of files.
// And it reads those that somebody has made, as long as they are not compressed.
//
// A [FileSystem] says what there is to be. Its Plan decides where everything goes, and
// the plan's Write streams the volume front to back:
//
//	root := &erofs.FileSystem{Tree: tree, Label: "root"}
//	plan, err := root.Plan(ctx, volume.Geometry{SectorSize: 512, Seed: seed, Time: created})
//	...
//	err = plan.Write(ctx, w)
//
// What comes out keeps owners and groups of 32 bits, modes, times to the nanosecond
// in any year, hard links, devices, FIFOs and sockets, names of 255 bytes,
// directories of any length, extended attributes with access control lists and
// capabilities, and holes: a file of 100 GiB that is a hole takes a few bytes. Times of
// access and of change are those of modification, since the format has only one.
//
// # How it is laid out
//
// The superblock and the root directory's inode are at the start, attributes that
// several inodes have behind them. Then come groups of files: first the whole blocks of
// their contents, in the order of the tree, then a MiB or so of metadata, in which each
// inode is followed by its attributes and by what is left of its content. An inode
// is put into whichever of the last blocks it fills best, so that next to nothing is
// lost. That contents come first lets every file be read once and nothing be written
// twice, however large the tree.
//
// An inode takes 32 bytes where owner, group and links have 16 bits, the content's
// length 32, and the file's time is that of the file system's creation, as it is in
// images that are made to be made again; otherwise 64.
//
// A plan remembers twelve bytes for each file, and a few more for each distinct
// extended attribute and each file whose content another one has. Writing needs the
// metadata of a group in memory, which is a MiB and the longest inode: attributes of at
// most 256 KiB, or the table of a file with holes, of at most 16 MiB.
//
// # Holes
//
// A file with holes that are worth it is cut into chunks, each of which has blocks or
// has none. Their length, a power of two of blocks, is the one with which the table and
// the blocks take the least room. Other files are in one piece, and so are their holes,
// which the volume has room for, and which are not written.
//
// # Who can read it
//
// Linux 5.4 and later; a file system with chunks, 5.15; one with blocks of less than a
// page, 6.4. From 6.12 on a kernel with CONFIG_EROFS_FS_BACKED_BY_FILE mounts an image
// file itself, without a loop device.
//
// # Determinism
//
// The same tree, parameters and geometry give the same bytes. The UUID derives from the
// geometry's seed, and the order in which the tree was made does not matter.
//
// # Limits
//
// Volumes of 16 TiB with blocks of 4 KiB, of 2 TiB with blocks of 512 bytes. Extended
// attributes of the namespaces user, trusted and security and POSIX ACLs, with values of
// at most 65,535 bytes. Equal files are looked for where [FileSystem.Deduplicate] says
// so, equal blocks are not. Compression, further devices, long prefixes of attributes
// and filters for their names are not written.
//
// # Reading
//
// [Open] reads what this package and mkfs.erofs write: inodes of either length, blocks
// of 512 bytes to 64 KiB, contents in one piece, with tails behind inodes and in chunks.
// It is an io/fs.FS of the files:
//
//	files, err := erofs.Open(f, size)
//	...
//	b, err := fs.ReadFile(files, "etc/hostname")
//
// Compressed contents, attributes with long prefixes, contents on further devices, and
// volumes with numbers of 48 bits or with their metadata in a file are refused, each as
// a [volume.ErrFeature].
//
// The format is that of Linux 6.12, fs/erofs/erofs_fs.h.
package erofs
