// Package spec reads descriptions of disks from YAML: what mkimage builds, and
// what any program may turn into an [image.Layout].
//
//	table: gpt
//	partitions:
//	  - name: esp
//	    type: esp
//	    size: 64MiB
//	    content: {format: vfat, label: ESP}
//	  - name: root
//	    type: root-x86-64
//	    free: 25%
//	    content:
//	      format: ext4
//	      label: root
//	      files:
//	        - {from: ./rootfs.tar.zst, to: /}
//	        - {from: ./overlay, to: /etc, owner: "0:0", exclude: ["*.bak"]}
//	        - {path: /etc/hostname, text: "drivebay\n", mode: "0644"}
//
// [Load] and [Parse] are strict. A key that there is none of, a value of the wrong
// type and a size that is none are errors, each with file, line and column, and
// all of them are told at once:
//
//	disk.yaml:12:5: partition "root": size "2 gigs": want a number of bytes ...
//
// [Spec.Layout] then opens the sources that the spec names, and [Layout.Plan]
// finds the place of everything. Paths of the building machine are relative to the
// spec's own directory. Paths of the image begin with a slash.
//
// A spec has at most 1 MiB, in lines of at most 64 KiB unless it is JSON. YAML is
// version 1.2 as go-yaml has it. Anchors, aliases and merge keys (<<) may be used,
// tags may not. Texts that look like numbers need quotes.
//
// # Values
//
// A size is a number of bytes with an optional unit: KiB, MiB, GiB, TiB, PiB, EiB
// or in short K, M, G, T, P, E for powers of 1024, and kB, MB, GB, TB, PB, EB for
// powers of 1000. 64MiB, "64 MiB" and 1.5GiB are sizes.
//
// A mode is in octal with or without quotes: "0644", 0644 and 644 are the same.
// An owner is the numbers of a user and a group: "0:0". A time is one of RFC 3339
// (2026-01-31T12:00:00Z), a date, or seconds since 1970.
//
// # Keys of the disk
//
//   - table: gpt, mbr or none. Left out, it is gpt.
//   - sector-size: 512 or 4096 bytes. Left out, it is 512.
//   - size: the size of the disk. Left out, it is as small as the partitions allow.
//   - align: the unit in which partitions begin and are sized. Left out, it is 1MiB.
//   - seed: a UUID, from which all identifiers are derived that are not given. Left
//     out, it is made of the names, types and sizes.
//   - time: when the file systems were made, and the time of files that are made
//     here. Left out, it is the environment's SOURCE_DATE_EPOCH, or 1980-01-01.
//   - id: the GUID of a GPT disk, or the signature of an MBR disk, 8 hexadecimal
//     digits.
//   - partitions: a list of partitions in the order of their numbers.
//   - blobs: a list of blobs, which lie outside the partitions.
//
// # Keys of a partition
//
//   - name: its name in a GPT, at most 36 UTF-16 units.
//   - type: a name of the Discoverable Partitions Specification as systemd-repart
//     has it (esp, root-x86-64, usr-arm64-verity), a GUID, or for an MBR a byte
//     (0x0c). Left out, it is linux-generic.
//   - id: its GUID.
//   - start: where it begins, in bytes from the disk's start. Left out, it is the
//     next aligned place.
//   - size: its size, or {min: , max: }, either of which may be left out. Without
//     an exact size it is as small as the content and free allow.
//   - free: the room to leave beyond the content: a share of what the content needs
//     (25%), a size (100MiB), or both (10%+100MiB).
//   - weight: its share of what is left of the disk, as against the weights of the
//     others. Left out, it takes nothing of it.
//   - attributes: a list of required, no-block-io, legacy-boot, grow-fs, read-only,
//     no-auto, and bit-N for those without a name.
//   - hybrid-type: lists it in a hybrid MBR as well, with this type.
//   - split: the name of the file that holds this partition alone, where each gets
//     one (mkimage build --split), or "-" for none. Left out, it is the partition's
//     name, or its number.
//   - content: what it holds. Left out, it is zeros.
//
// The bounds of a size:
//
//   - min: it is no smaller.
//   - max: it is no larger.
//
// # Keys of a content
//
//   - format: what it is; the others depend on it.
//   - label: the volume's label.
//   - uuid: the volume's UUID. Left out, it is derived from the seed.
//   - volume-id: the serial number of a FAT or exFAT: 1234-ABCD. Left out, it is derived from
//     the seed.
//   - files: a list of files.
//   - file: the file that a raw content, or GRUB's core image, is copied from.
//   - block-size: the size of a block. Left out, it is 4KiB, of a squashfs 128KiB.
//   - inodes: how many files there can be at least.
//   - journal: the size of the journal, or none. Left out, it is by the size of the
//     volume.
//   - reserved: the share that is kept for root: 5%, or none. Left out, it is 5%.
//   - fat-type: 12, 16 or 32. Left out, it is by the size of the volume.
//   - cluster-size: the unit of allocation of a FAT. Left out, it is by the size of
//     the volume.
//   - drop-unsupported: true leaves out what the format cannot hold, such as
//     symbolic links on FAT, and lists it. Otherwise that is an error.
//   - compression: zstd, gzip, xz, lz4 or none. Left out, it is zstd.
//   - level: how hard to compress: 1 to 22 with zstd, 1 to 9 with gzip, and with the
//     slow ways of lz4. Left out, it is 3, 6, or the fast way. Of an ISO 9660, the level of interchange, 1 to 3. Left out, it is 3.
//   - tails: which ends of files, behind their last whole block, a squashfs packs
//     together: small for those of files of less than a block, always or never.
//     Left out, it is small.
//   - deduplicate: true has files of the same content share their blocks in an
//     EROFS, for which those of the same length are read twice. A squashfs does so
//     always.
//   - page-size: that of the machine that will use a swap space. Left out, it is
//     4KiB.
//   - options: a list of further arguments for the program that makes it, mkfs.xfs,
//     mkfs.btrfs or mkfs.exfat. These have to be installed.
//   - joliet: true adds Joliet's names to an ISO 9660.
//   - rock-ridge: false leaves Rock Ridge out of an ISO 9660: owners, permissions,
//     links, devices and long names. Left out, it is true.
//   - map-names: true gives files another name where Joliet, or the level where
//     there is no Rock Ridge, cannot hold theirs. Otherwise that is an error.
//   - boot: a list of boot images of an ISO 9660. The first is the default.
//   - hybrid: true has an ISO 9660 boot as a disk, too. It has to be all of an
//     image without a table.
//   - boot-code: a file with the code that BIOS runs then, such as isohdpfx.bin.
//   - of: the name of the partition that a hash tree is of, or a signature: of the
//     hash tree's.
//   - algorithm: sha256 or sha512. Left out, it is sha256.
//   - data-block-size: the size of the blocks that are hashed. Left out, it is 4KiB.
//   - hash-block-size: the size of the blocks that hold hashes. Left out, it is 4KiB.
//   - salt: hexadecimal digits, or none. Left out, it is derived from the seed.
//   - key: the file of the private key that is signed with, RSA or ECDSA, in PEM.
//   - certificate: the file of its certificate, in PEM.
//
// A boot image:
//
//   - platform: bios, uefi, powerpc or mac. Left out, it is bios.
//   - path: a file of the volume.
//   - file: a file of this machine that gets a place of its own, such as the image
//     of an EFI system partition.
//   - info-table: true writes an El Torito boot information table into the file at
//     path, as isolinux.bin and GRUB's eltorito.img want it.
//   - grub: true writes what GRUB's boot_hybrid.img, as boot-code, has to find in
//     the file as well.
//   - load-sectors: how much is loaded, in sectors of 512 bytes. Left out, it is 4
//     for bios, and else all of it.
//
// The keys of each format:
//
//   - btrfs: label, uuid, files, drop-unsupported, options
//   - erofs: label, uuid, files, block-size, deduplicate
//   - exfat: label, volume-id, options
//   - ext4: label, uuid, files, block-size, inodes, journal, reserved
//   - grub-core: file
//   - iso9660: label, files, drop-unsupported, level, joliet, rock-ridge, map-names, boot, hybrid, boot-code
//   - raw: file
//   - squashfs: files, block-size, drop-unsupported, compression, level, tails
//   - swap: label, uuid, page-size
//   - verity: of, uuid, algorithm, data-block-size, hash-block-size, salt
//   - verity-signature: of, key, certificate
//   - vfat: label, volume-id, files, fat-type, cluster-size, drop-unsupported
//   - xfs: label, uuid, files, drop-unsupported, options
//
// # Keys of files
//
// The files of a content come from sources (from) or are made here (path). Where
// two have the same name, the later one wins; a directory on a directory adds to
// it. Those of a source:
//
//   - from: a directory, or a tar archive, compressed by gzip, zstd, xz or bzip2 or
//     not. All that it tells of its files is kept.
//   - to: the directory that they are put into. Left out, it is /.
//   - exclude: a list of patterns of files to leave out, as .gitignore has them and
//     [filetree.Layer] tells: "*.bak" anywhere, /var/cache from the source's root,
//     a/**/b, and "!keep.bak" to bring one back.
//   - override: a list of changes to the files that match a pattern; the last one
//     wins.
//   - whiteouts: true for a layer of a container image, of which .wh.name removes
//     name from what is below (OCI image specification).
//   - duplicates: last for an archive that has a name twice, as tar -r makes them,
//     of which the last is taken. Left out, such an archive is refused.
//
// One that is made has a path and one of text, file, directory, symlink, link,
// device, fifo and uki:
//
//   - path: where it is. Directories above it are made where they are missing.
//   - text: its content.
//   - file: the file of the building machine that is its content.
//   - directory: true for a directory.
//   - symlink: the target of a symbolic link.
//   - link: the path of a file of the image of which this is another name.
//   - device: the type and number of a device: "char 1:3" or "block 8:0".
//   - fifo: true for a named pipe.
//   - uki: a unified kernel image, made of the building machine's files.
//   - sign: signs an EFI program, a file or a uki, for Secure Boot.
//   - xattrs: extended attributes by their names; their values are texts, or as in
//     setfattr 0x and hexadecimal digits or 0s and base64.
//
// What both have. Of a source, it is for all of its files:
//
//   - owner: left out, it is the source's, or 0:0.
//   - mode: of a source, that of all but directories and symbolic links. Left out, it
//     is the source's; of what is made, 0755 for a directory, 0600 for a device, 0644
//     for the rest, or 0755 for a file whose owner may execute it.
//   - dir-mode: of a source, that of its directories.
//   - time: left out, it is the source's, or the disk's.
//
// An override:
//
//   - match: the pattern of the files, as for exclude.
//   - owner: their owner.
//   - mode: the mode of all but directories and symbolic links.
//   - dir-mode: the mode of directories.
//   - time: their time.
//
// A uki, all but whose cmdline and uname are files:
//
//   - stub: the EFI program that starts the kernel, such as systemd's
//     /usr/lib/systemd/boot/efi/linuxx64.efi.stub, unsigned.
//   - kernel: the kernel.
//   - initrd: a list of archives, which are unpacked one over the other.
//   - cmdline: the kernel's command line. Left out, the boot loader says.
//   - os-release: the system's /etc/os-release, without which systemd-boot does not
//     list the image.
//   - uname: the kernel's release. Left out, it is what a kernel for x86 says.
//   - splash: a picture in the format BMP.
//   - dtb: a device tree.
//
// What an EFI program is signed with:
//
//   - key: the file of the private key, RSA, in PEM, without a passphrase.
//   - certificate: the file of its certificate in PEM, with those behind it that
//     the signature is to bring along.
//
// # Keys of a blob
//
//   - name: what errors call it.
//   - offset: where it begins, in bytes from the disk's start. At 0, up to 440 bytes
//     of boot code fit before the partition table.
//   - file: the file that it is copied from.
//   - format: raw, grub-boot or grub-core. Left out, it is raw. The others are GRUB's
//     boot.img at 0, and a core image behind an MBR: they are told sectors where they
//     are copied to. On a GPT disk the core image is a content, of a partition of
//     type bios-boot.
//   - core: where the core image begins that grub-boot loads. Left out, it is the
//     first partition of type bios-boot.
package spec
