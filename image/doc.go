// Package image builds partitioned disk images: pure Go, without root, the same
// bytes every time, and at the speed of copying what goes into them.
//
// A disk goes through three forms:
//
//   - a [Layout] describes it: a partition table, partitions, and what each of
//     them is to hold. What is left out has a default;
//   - a [Plan] is the same disk with the place of every byte known. Making it reads
//     the metadata of the contents and nothing else, so that whatever cannot be
//     built is refused before there is any output;
//   - [Plan.Build] writes it, front to back, into a sparse file that appears
//     under its name when it is complete. [Plan.WriteTo] and [Plan.WriteAt] write
//     it elsewhere.
//
// What fills a partition is a [volume.Content]: an ext4.FileSystem or a
// fat.FileSystem of a filetree.Tree, [Raw] bytes, or one of your own. A
// [verity.HashTree] is that of another partition, and a [verity.Signature] signs it.
//
// [Open] reads disks, those of others included, and [Disk.FS] the files in them:
// ext2, ext3, ext4, FAT, squashfs and EROFS with all that they hold, and ISO 9660.
//
// # Reproducible images
//
// No clock is read, and nothing is random. UUIDs, hash seeds and volume IDs are
// derived from Layout.Seed, or else from the layout's own names, types and sizes;
// file systems say that they were made at Layout.Time, or else at the
// environment's SOURCE_DATE_EPOCH. Files keep the times of their source. The
// order in which a directory is read, the number of CPUs and the machine do not
// matter.
//
// # Specifications
//
// GPT is as in UEFI 2.10, chapter 5; partition types have the names of the
// Discoverable Partitions Specification
// (https://uapi-group.org/specifications/specs/discoverable_partitions_specification/).
package image
