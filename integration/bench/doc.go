// Command bench measures how fast images are made: by this module, by the tools
// that people use today, and by a program that does no more than copy the bytes.
//
//	go run ./integration/bench
//	go run ./integration/bench -rounds 9 -only 'ext4/(floor|drivebay|mke2fs)'
//	go run ./integration/bench -size 4GiB -files 1000000 -only 'ext4/(floor|drivebay)'
//	go run ./integration/bench -size 64MiB -sparse 1TiB -only ext4/drivebay
//
// It makes a tree of files (deterministic: the same for the same flags), lets
// each contender of a group make the same image of it in turn, round by round, so
// that a noisy machine is noisy for all of them, and prints the medians. The
// groups are "ext4", one file system; "fat", a small one as for an EFI system
// partition; "erofs", one that is only read; "squashfs-zstd", "squashfs-gzip" and
// "squashfs-none", such as are compressed; "iso9660", one for discs; "disk", a GPT
// disk with an ext4 and a FAT; "verity", the hash tree of a volume; and "many", file
// systems of 10,000 to a million files, each on a tree of its own, which takes a minute
// or two to make.
//
// What absolute times are worth depends on the machine; the ratios last:
//
//   - "x floor" is how many times longer than the floor it took. The floor is a
//     Go program that walks the tree and writes all contents into one packed
//     file by read and pwrite; of "verity", it is SHA-256 on one CPU.
//   - "x peer" is how many times faster it was than the usual tool: mke2fs -d,
//     mkfs.fat and mcopy, mkfs.erofs, mksquashfs, genisoimage, veritysetup, or the
//     script of sfdisk, mkfs.fat, mcopy and mke2fs.
//
// Both are given for the medians and for the shortest times: on a machine that is
// busy with other things, the latter vary less.
//
// Every contender is a process of its own, started anew each time, so that what
// is measured is what a user waits for; "peak" is its largest resident set and
// that of its children, as wait4 tells. Linux counts the memory of the process
// that started it, too, which is why small ones are shown as "<" a bound.
//
// A contender that is not installed, and one that fails, is named with its
// reason. The first result of each is judged by e2fsck, fsck.fat, fsck.erofs,
// unsquashfs, xorriso or veritysetup.
//
// Trees and images are in one temporary directory of -dir, so on one file
// system. Images are removed between the runs, outside of the time that is taken;
// copies of the tree that a peer leaves behind are removed at the end only, since
// ext4 takes seconds to make thousands of files again soon after as many have
// been deleted.
package main
