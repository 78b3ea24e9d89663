// Package mkfs makes file systems with the distribution's own programs: XFS,
// btrfs and exFAT, for which this module has no writer. Where a program is not
// installed, Plan says which Debian package has it ([ErrNotInstalled]).
//
// The program works on an unnamed temporary file (in the directory that TMPDIR
// names), which is then copied, sparsely, to where the volume is to be. Nothing
// that could be left behind has a name.
//
// What comes of a tree is what the programs can do:
//
//   - XFS: mkfs.xfs -p, without root. Kept are names, types, permissions, setuid
//     and setgid, owners, contents, targets of symbolic links and the numbers of
//     devices. Not kept, and refused or dropped: the sticky bit (not even that
//     of /tmp), extended attributes, hard links (which become copies), sockets,
//     and names or targets with white space, or that begin with a colon. Times
//     are never kept: they are the time of making. Holes become zeros. A file
//     can have 2147479552 bytes, and has to fit into an allocation group, a
//     quarter of a small volume. All contents are copied to unnamed temporary
//     files first, each of which is a descriptor: a tree of more files than the
//     process may have open (ulimit -Hn) is refused by Plan, with the number that
//     would do ([ErrLimit]).
//   - btrfs: mkfs.btrfs --rootdir, with root only, since it takes owners from a
//     directory: a tmpfs that nobody else sees, in which the tree is built
//     first, so that memory has to hold its contents. Not kept by mkfs.btrfs 6.2,
//     and refused or dropped: devices, which all get the number 0:0, and a root
//     directory of another mode than 0755, another owner than 0:0, or with
//     attributes. Subvolumes want btrfs-progs 6.11. Never kept are fractions of a
//     second, the time of the root directory, and holes, which become zeros. All
//     else is.
//   - exFAT: mkfs.exfat, which makes empty file systems only, and in a file only
//     those for disks with sectors of 512 bytes.
//
// Unlike all other contents of an image, these are the same bytes each time only
// as far as the programs allow that, and [volume.Info.Varies] says where they do
// not. UUIDs are derived from the seed, and the
// time is passed as SOURCE_DATE_EPOCH. exFAT is the same each time. mkfs.xfs obeys
// from version 6.18 on; before that, its inodes have the time of day and random
// generations. mkfs.btrfs makes up UUIDs of its own beside the one it is given, and writes the
// time of day. An image with such a partition cannot be verified byte for byte:
// compare its files.
package mkfs
