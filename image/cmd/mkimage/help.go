package main

import (
	"fmt"
	"strings"
)

const overview = `mkimage builds disk images from a description in YAML: partition table, file
systems and files in one pass, without root, the same bytes every time.

    mkimage plan SPEC             show where everything will be; write nothing
    mkimage build SPEC -o OUT     build the image
    mkimage inspect IMAGE         show what is on an image, ours or not
    mkimage verify IMAGE SPEC     compare an image with its description
    mkimage help COMMAND          tell more

A first image, of a directory named rootfs:

    cat > disk.yaml <<'END'
    partitions:
      - name: esp
        type: esp
        size: 64MiB
        content: {format: vfat, label: ESP}
      - name: root
        type: root-x86-64
        free: 25%
        content:
          format: ext4
          label: root
          files:
            - {from: ./rootfs, to: /, owner: "0:0"}
            - {path: /etc/hostname, text: "drivebay\n"}
    END
    mkimage build disk.yaml -o disk.img

All that a description may say:
https://pkg.go.dev/github.com/drivebay/drivebay/image/spec

Or take systemd's partition definitions as they are: "mkimage help repart.d".
`

// describeFlags tells of the flags of all commands that read a SPEC.
const describeFlags = `    --size SIZE   the size of the disk, such as 2GiB, in place of SPEC's
    --seed UUID   what UUIDs are derived from, in place of SPEC's
    --root DIR    where the paths of systemd's definitions begin
    --definitions DIR
                  one more directory of definitions, several times if need be: of
                  files of one name the one in the first directory counts
    --private-key KEY, --certificate CERT
                  files in PEM by which their Verity=signature is made

`

// repartHelp tells of systemd's definitions.
const repartHelp = `mkimage plan DIR
mkimage build DIR -o OUT
mkimage verify IMAGE DIR

DIR is a directory of partition definitions as systemd-repart reads them: files
named *.conf, with drop-ins in *.conf.d, which repart.d(5) describes.

    cat > repart.d/10-esp.conf <<'END'
    [Partition]
    Type=esp
    Format=vfat
    CopyFiles=/efi:/
    SizeMinBytes=64M
    SizeMaxBytes=64M
    END
    cat > repart.d/20-root.conf <<'END'
    [Partition]
    Type=root
    CopyFiles=/:/
    Minimize=guess
    END
    mkimage build repart.d -o disk.img --root ./rootfs --size 2GiB

The disk is the one that "systemd-repart --empty=create" makes of the same
definitions with the same --seed, --size and --root: the same places, sizes,
types, names, UUIDs and flags. Without --size it is as small as the partitions
allow (--size=auto). Without --seed one is made of the definitions. What is not
supported, such as Encrypt, is an error. Verity=signature wants --private-key
and --certificate. All of it:

https://pkg.go.dev/github.com/drivebay/drivebay/image/spec/repart
`

// helps are the texts of "mkimage help COMMAND".
var helps = map[string]string{
	"repart.d": repartHelp,
	"plan": `mkimage plan SPEC [--json]
       [--size SIZE] [--seed UUID] [--root DIR] [--definitions DIR]
       [--private-key KEY --certificate CERT]

Shows the disk that SPEC describes: where each partition will be and what it
will hold. It reads the names and sizes of the sources, not what is in the
files, and writes nothing. What cannot be built is an error here already.

SPEC is a file in YAML, or - for standard input. Relative paths in it begin at
its own directory. Or it is a directory of systemd's partition definitions: see
"mkimage help repart.d".

` + describeFlags + `    --json   one object for machines. Its keys are table, sectorSize, size, id
             and partitions; those of each partition number, name, type, id,
             start, size, attributes, hybridType, format, label, uuid, used,
             files, dropped and, of a hash tree of dm-verity, verity: of,
             algorithm, dataBlocks, dataBlockSize, hashBlockSize and salt. Sizes
             are in bytes. An id that is to come of a root hash is left out.
`,
	"build": `mkimage build SPEC -o OUT [--device] [--sync] [--json | -q]
       [--format FORMAT] [--compress HOW] [--cluster-size SIZE]
       [--bmap] [--split] [--manifest FILE]
       [--size SIZE] [--seed UUID] [--root DIR] [--definitions DIR]
       [--private-key KEY --certificate CERT]

Builds the disk that SPEC describes and writes it to OUT, which is

    disk.img       a file, sparse: what is zero takes no room. It appears when
                   it is complete, in place of what was there; a build that
                   fails or is interrupted leaves nothing.
    disk.img.zst   the same, compressed by zstd, in frames with a seek table
                   behind them. "zstd -d --sparse" unpacks it to a sparse file.
    disk.qcow2     for QEMU; what is zero takes no room
    disk.vhd       for Azure: the raw image with a footer, sparse. The disk grows
                   to a multiple of 1 MiB; it has to have sectors of 512 bytes.
    disk.vhdx      for Hyper-V; what is zero takes no room
    -              standard output: all bytes of the image, zeros as well.
    /dev/sdX       a disk, with --device only. ALL THAT IS ON IT IS LOST. It
                   must not be mounted or otherwise in use. Without a size in
                   SPEC the image is as large as the disk; with a smaller one
                   the backup of a GPT still goes to the end of the disk. A
                   build that fails or is interrupted leaves a disk without a
                   partition table.

The same SPEC and the same sources give the same bytes, on every machine. Times
that neither says are the environment's SOURCE_DATE_EPOCH, or 1980-01-01. OUT
has to be outside of the sources, or excluded from them: the next build would
take it for one.

SPEC is a file in YAML, or - for standard input. Relative paths in it begin at
its own directory. Or it is a directory of systemd's partition definitions: see
"mkimage help repart.d".

` + describeFlags + `    -o OUT     where the image goes
    --device   OUT is a disk, and what is on it may be lost
    --format FORMAT
               raw, zst, qcow2, vhd, vhd-dynamic (a VHD that leaves out what is
               zero) or vhdx. By default it goes by OUT's name, and is raw where
               that tells nothing. Standard output takes raw and zst.
    --compress HOW
               how a qcow2's clusters are compressed: zlib, zstd (QEMU 5.1 and
               later), or none, the default
    --cluster-size SIZE
               the size of a qcow2's clusters, 512 to 2MiB; 64KiB by default
    --bmap     a map of a raw or zst image beside it (disk.img.bmap), with which
               "bmaptool copy" writes only what matters to a disk, whatever that
               held before, and verifies it
    --split    each partition in a file of its own beside the image, sparse:
               disk.NAME.raw, by its name or else its number; the key split of
               a spec and SplitName of definitions say otherwise
    --manifest FILE
               a list of the files in the image with their SHA-1 and SHA-256, in
               SPDX 2.3 (JSON). They are read once more for it.
    --sync     wait until the image is on stable storage; always so for a disk
    --json     progress for machines: an object a line, on standard output, or
               on standard error where the image goes there. All have the key
               event: "plan" (with plan, as "mkimage plan --json" has it),
               "progress" (region, done, total: bytes of data), "roothash"
               (roothash, of the hash tree in partition of the one that is data),
               "done" (output, size, written: bytes, seconds)
    -q         no progress
`,
	"inspect": `mkimage inspect IMAGE [--json] [--files]

Shows what is on IMAGE, a disk image (raw, zst, qcow2, vhd) or a disk: its partition table, and for
each partition the format, label and UUID of what it holds, and of ext2, ext3,
ext4, FAT, squashfs and EROFS how many files there are and how much is used; of
a hash tree of dm-verity its parameters and the root hash that it has. IMAGE may be
anybody's: GPT, MBR, or a file system without a table. What is odd about the
table, such as a copy of a GPT that is damaged or in a wrong place, is told
below it.

    --json    one object for machines, with the keys of "mkimage plan --json",
              and notes, a list of texts. With --files it has the key files as
              well: a list with partition, path, type (file, directory, symlink,
              char, block, fifo, socket), mode, uid, gid, size, modTime, target,
              device, xattrs (their names) and linkTo (the first name of a file
              that has several) of each file
    --files   list the files, too, of ext2, ext3, ext4, FAT, squashfs, EROFS and
              ISO 9660: mode, owner, group, size, time, name; behind it what a link
              points to ("-> target"), the number of a device, the first name of
              a file that has several ("== name"), and the names of extended
              attributes in brackets. Names that are no text are quoted
`,
	"verify": `mkimage verify IMAGE SPEC [--files] [--json]
       [--size SIZE] [--seed UUID] [--root DIR] [--definitions DIR]
       [--private-key KEY --certificate CERT]

Compares IMAGE with the disk that SPEC describes, byte for byte: what SPEC would
build today is what IMAGE has to be. The first byte that differs is told with
its partition. Zero ranges have to be zero.

` + describeFlags + `    --files   compare the files in the file systems with their sources in place
              of the bytes. For images that have been mounted since, which
              changes bytes but need not change files. Of ext4, squashfs
              and EROFS all is compared: types, modes, owners, times, targets, devices,
              extended attributes, hard links, contents; of FAT names, times and
              contents. Other formats are passed by
    --json    one object for machines, with the keys equal and differences: a
              list of texts
`,
}

// help prints the help of a command, or the overview.
func help(e env, args []string) error {
	if len(args) == 0 {
		_, err := fmt.Fprint(e.stdout, overview)
		return err
	}
	text, ok := helps[args[0]]
	if !ok || len(args) > 1 {
		return usageError{err: fmt.Errorf("no help for %q: want build, plan, inspect or verify", strings.Join(args, " "))}
	}
	_, err := fmt.Fprint(e.stdout, text)
	return err
}
