// Package repart reads systemd's partition definitions, repart.d(5), and turns them
// into the disk that "systemd-repart --empty=create" makes of them: the same places
// and sizes, types, names, UUIDs and flags, for the same definitions, seed and size.
//
//	defs, err := repart.Load([]string{"repart.d"}, repart.Options{Size: 2 << 30})
//	layout, err := defs.Layout(ctx)
//	defer layout.Close()
//	plan, err := layout.Plan(ctx)
//	err = plan.Build(ctx, "disk.img", image.Options{})
//
// What it knows is pinned to systemd 252, and for settings that are younger to
// systemd 257. Nothing is passed over: where systemd warns and goes on, and where
// there is a setting that this package has not, there is an error that tells file
// and line ([Error]). Settings and sections whose names begin with X- are for others.
//
// # The disk
//
// It is always a new one with a GPT; partitions begin at 1 MiB, in units of 4096
// bytes, in the order of the names of their files. Each has at least SizeMinBytes,
// without which it is 10 MiB, what CopyBlocks or Format needs (ext4 1 MiB, xfs 14
// MiB, btrfs 256 MiB), and 4096 bytes. A disk without a size is as small as that
// allows. What is more is shared by Weight and PaddingWeight, within the bounds. If
// there is less, the partitions with the highest Priority above 0 are left out
// ([Layout].Omitted). A SizeMaxBytes below the minimum gives way to it, unless it is
// SizeMinBytes or the need of Minimize that it contradicts.
//
// UUIDs are derived from the seed as systemd derives them: the disk's, those of
// partitions, which depend on the type and on how many of that type come before, and
// from these those of the file systems.
//
// # File systems
//
// Format is one of ext4, vfat, squashfs, erofs, swap, xfs, btrfs and exfat; where
// files are copied it is ext4 by itself, or vfat on an ESP or XBOOTLDR. They have the label of
// the partition, as far as they can hold it. A vfat is a FAT32 from about 33 MiB on,
// and smaller ones, which systemd makes a FAT32 too, are what drivers take them for.
// It lacks what a FAT cannot hold, and the plan lists that. Since systemd 252 does
// not look at the size of files, files that do not fit are an error that says how
// much is missing: give SizeMinBytes, or Minimize.
//
// CopyFiles copies all that there is of files: owners, modes, times, links,
// extended attributes. A directory that is in the file system already, such as its
// root, keeps its own. What is mounted from another partition of the definitions is
// left out, but for the directory itself, as from systemd 253 on: of /home, if there
// is a partition of type home.
//
// # Settings
//
//   - Type, Label, UUID, Priority, Weight, PaddingWeight, SizeMinBytes,
//     SizeMaxBytes, PaddingMinBytes, PaddingMaxBytes: as the manual has them, with
//     minimums that are rounded up and maximums that are rounded down. A UUID of
//     null, or of zeros, is not supported.
//   - Format, CopyFiles, ExcludeFiles, ExcludeFilesTarget, MakeDirectories: as the
//     manual has them. Of the options of CopyFiles there is fsverity=off.
//   - MakeSymlinks: pairs of path:target.
//   - CopyBlocks: a file or a block device; not auto, and not a directory.
//   - Subvolumes: as the manual has it, where mkfs.btrfs has the option --subvol
//     (btrfs-progs 6.11), and without effect with other formats.
//   - Compression, CompressionLevel: with squashfs, which is zstd by itself.
//   - Minimize: best or yes, with squashfs and erofs, and guess; without SizeMinBytes the
//     minimum of 10 MiB is none then.
//   - Flags, NoAuto, ReadOnly, GrowFileSystem: as the manual has them. On a type for
//     which they have no meaning the latter three are errors.
//   - SplitName: kept in [Layout].SplitNames. %U is not supported where the UUID
//     comes of a root hash, nor is %V.
//   - Verity, VerityMatchKey: as the manual has them, with blocks of 4096 bytes where
//     no sector size is given, as from systemd 255 on, and a salt that is derived
//     from the seed. A hash tree with Minimize is as large as SizeMaxBytes of the data
//     wants it. A signature wants [Options].PrivateKey and Certificate.
//   - Encrypt: off only.
//   - FactoryReset: without effect on a new disk.
//
// Definitions may be in several directories, as of systemd-repart's --definitions:
// of files of one name, the one in the first directory counts.
//
// Specifiers are those of the manual. Those that tell of the machine (%b, %H, %l,
// %v, and without a root directory %m and those of os-release) make a disk that is
// another one elsewhere.
package repart
