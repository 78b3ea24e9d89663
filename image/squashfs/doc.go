// Package squashfs writes squashfs file systems: read-only, compressed, as small as
// they can be, which the kernel mounts and unsquashfs unpacks. It reads them, too,
// whoever has made them: see [Open].
//
// A [FileSystem] says what there is to be. Its Plan compresses the tree, and the
// plan's Write brings the result to the volume:
//
//	root := &squashfs.FileSystem{Tree: tree}
//	defer root.Close()
//	plan, err := root.Plan(ctx, volume.Geometry{SectorSize: 512, Time: created})
//	...
//	err = plan.Write(ctx, w)
//
// What comes out has all that the format has: files' tails packed together, equal
// files written once, blocks of zeros left out, hard links, devices, FIFOs and
// sockets, extended attributes, an index in large directories, a table for NFS.
// What the format cannot hold is parts of a second, times of access and of
// change, times outside of 1970 to 2106, attributes but for user, trusted and
// security (so no POSIX ACLs), and more than 65,535 different users and groups.
// All but the first two are refused, or listed where [FileSystem.Drop] is set.
//
// # Why planning reads the files
//
// A partition is to be as small as what it holds, and has to be placed before
// anything is written; how long the files are once they are compressed cannot be
// known without compressing them. A plan from an upper bound would waste half of
// each partition, and compressing twice would take twice as long as what all of
// this is about. So Plan goes through the files once and puts the image together in
// a temporary file, which has no name where the system can do that: disks' worth
// of it, not memory's. Everything but the time of creation is settled by then; Plan
// with another geometry, as a partition that is fitted asks for, costs nothing.
// Contents are as they were at the first Plan, whatever becomes of them until the
// image is written.
//
// The temporary file belongs to the FileSystem: [FileSystem.Close] gives it back.
// Where it lies in the directory of an output that is to be this file system and
// nothing else, as it does by default, the output takes it over ([volume.Taker]).
// Anywhere else on a disk it is copied, which takes a fiftieth of the time that
// zstd did, and room for both.
//
// # Ways to compress
//
// Zstd is the default and the one to take: it is fast in both directions. At level
// 3 images are one or two hundredths larger than those of mksquashfs, at most, and
// up to a tenth at 15, for half of the time. Gzip is for kernels without zstd, LZ4
// for those who have more room than time to read. XZ is for readers that know
// nothing else: the library that there is takes a third of the time of xz, but its
// images are a fifth larger, and so larger than those of zstd from level 10 on.
// Where size is all, mksquashfs -comp xz -Xbcj is the better tool.
//
// # How it is made
//
// One goroutine reads the files in the order of the tree and cuts them into blocks,
// as many as there are CPUs compress them, and one writes them in the order in
// which they were read, and between them the inodes of the files that they end.
// Memory is bounded by the number of CPUs times some 4 MiB for blocks, and what the
// compressors need, but for some 30 bytes for each file, and 60 more for one that is
// as long as another and differs from it.
//
// # Reading
//
// [Open] shows the files of an image as an [io/fs.FS] and as a [filetree.Tree],
// with all that the format holds: owners, devices, hard links, holes, extended
// attributes. It reads gzip, zstd, lz4, xz (without filters for machine code) and
// what is not compressed; lzo and lzma are refused. Nothing has to be trusted: what
// a volume says is checked against its size and the format's limits before memory
// is made room for, and what contradicts itself is a [volume.ErrDamaged].
//
// # Determinism
//
// The same tree and parameters and the same time of creation give the same bytes,
// whatever the number of CPUs: blocks are compressed one by one, and inodes are
// numbered in the order of the tree. Another release of a compressor may give
// others.
//
// The format is that of Linux 6.12, fs/squashfs/squashfs_fs.h, version 4.0.
package squashfs
