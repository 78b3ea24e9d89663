// Package fat writes FAT12, FAT16 and FAT32 file systems with long names, front
// to back in one pass, from a tree that is known beforehand, and reads those that
// others have made.
//
// A [FileSystem] is the description, a [volume.Content]. Its Plan takes stock of
// the tree, chooses the type and the size of clusters, and gives out clusters one
// after the other, first to directories and then to files, so that nothing is
// fragmented; a plan writes as often as it is asked to, the same bytes each time:
//
//	fs := &fat.FileSystem{Tree: tree, Label: "ESP"}
//	plan, err := fs.Plan(volume.Geometry{SectorSize: 512, Size: 64 << 20})
//	...
//	w := volume.NewWriter(file, plan.Info().Size)
//	defer w.Close()
//	err = plan.Write(ctx, w)
//	...
//	err = w.Flush()
//
// [Open] reads any FAT that is not in use: long names, names of 8.3 with the case that
// Windows NT's bits give them, and the label. Nothing but what is asked for is read,
// and nothing that a volume says is believed: memory and time are bounded by its
// size.
//
// The format is that of Microsoft's "FAT32 File System Specification", version
// 1.03 of December 6, 2000, called fatgen103 here, with the bits for lower case
// that Windows NT added and the kernel's fs/fat/namei_vfat.c reads.
//
// # What FAT holds
//
// Names of at most 255 UTF-16 units, of any character but control characters,
// "*/:<>?\| and U+FFFF, and with no dot or space at the end. Two names in a
// directory that differ in case only are refused, since they are one name to
// all who read them. Names that are reserved for devices on Windows, as "con" and
// "nul", are written like others. Every name has an 8.3 alias, made as Windows
// makes it. A name that is 8.3 in ASCII, and of one case before and after the dot,
// is stored as that and has no other entries.
//
// Files of at most 4 GiB less 1 byte, and directories of at most 65,536 entries, of
// which a name takes one, and one more for each 13 units where it is not 8.3. A
// root directory of FAT12 or FAT16 has 512 entries, or as many as it needs up to
// 65,520 (65,408 where sectors have 4096 bytes).
//
// Times from 1980 to 2107, of which earlier and later ones become the first and
// the last: files that were given no time, or 1970 for the sake of
// reproducibility, are no reason to refuse a tree. They are stored as UTC (mount
// with tz=UTC); changes to 2 s, the creation to 10 ms, the last access to the day. The
// time of creation is ModTime, for a tree knows of none.
//
// # What it does not
//
// Symbolic links, devices, FIFOs, sockets and hard links are refused, unless
// FileSystem.Drop is set: a hard link is a copy then, all others are left out. Owners
// and permissions get lost without a word, as they do whenever files are copied
// to FAT; but for a file that nobody may write to, which is read-only, as it is to
// the kernel. Extended attributes get lost and are listed in Info.Dropped, save
// SELinux's labels. Holes of sparse files become clusters, which are not written
// where the output can have holes itself.
//
// # Choices
//
// The type and the size of clusters are what mkfs.fat 4.2 would choose for a
// volume of the size, with three differences. The number of clusters stays 16
// away from those at which the type changes, as fatgen103 recommends, for much
// code is off by one there. Clusters are at most 32 KiB. And content that does not
// fit so is given the choice that leaves most room. Data is aligned as mkfs.fat
// does, but by reserved sectors only, so that tables are as long as they have
// to be.
//
// Hidden sectors are the geometry's offset, or 0 where that exceeds their 32 bits.
// There is no boot code: a BIOS that starts the volume is sent on to the next.
package fat
