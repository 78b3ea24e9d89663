package mkfs

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/filetree"
)

// kind is what is peculiar to a type.
type kind struct {
	programs  []string // the first makes the file system
	pkg       string   // the Debian package that has them
	minSize   int64    // what the program wants at least, in bytes
	only512   bool     // of all sector sizes
	maxLabel  int
	labelUnit string
	labelLen  func(label string) int
	id        func(uuid.UUID) string // as blkid prints it
	// loss tells what the file system would lose of a node, and how much. nil
	// makes empty file systems only.
	loss func(n filetree.Node) (what string, how loss)
	// check refuses what the system has not the means for. nil is nothing.
	check func(p *plan) error
	// varies is what is not the same each time, "" for nothing.
	varies string
	// need estimates what size a tree takes.
	need func(c *census) int64
	// make makes the file system in a file.
	make func(j *job) error
}

// loss is how bad it is.
type loss int

const (
	none    loss = iota
	partial      // something of the file
	whole        // the file, and what is below it
	fatal        // too much to drop it
)

// kinds are all types. The smallest sizes are those of xfsprogs 6.1, btrfs-progs
// 6.2 and exfatprogs 1.2; older versions took less, and newer ones take more.
var kinds = map[Type]*kind{
	XFS: {
		programs: []string{"mkfs.xfs"}, pkg: "xfsprogs", minSize: 300 * mib,
		maxLabel: 12, labelUnit: "bytes", labelLen: byteLen, id: uuid.UUID.String,
		loss: lossXFS, check: checkXFS, need: needXFS, make: makeXFS,
		varies: "mkfs.xfs before version 6.18 writes the time of day and random numbers into the inodes",
	},
	Btrfs: {
		programs: []string{"mkfs.btrfs"}, pkg: "btrfs-progs", minSize: 109 * mib,
		maxLabel: 255, labelUnit: "bytes", labelLen: byteLen, id: uuid.UUID.String,
		loss: lossBtrfs, need: needBtrfs, make: makeBtrfs,
		varies: "mkfs.btrfs makes up UUIDs and writes the time of day",
	},
	ExFAT: {
		programs: []string{"mkfs.exfat", "tune.exfat"}, pkg: "exfatprogs", minSize: 3 * mib, only512: true,
		maxLabel: 11, labelUnit: "UTF-16 code units", labelLen: utf16Len, id: serialString,
		make: makeExFAT,
	},
}

func byteLen(s string) int { return len(s) }

func utf16Len(s string) int { return len(utf16.Encode([]rune(s))) }

// serial returns the serial number of a volume without a UUID.
func serial(id uuid.UUID) uint32 { return binary.LittleEndian.Uint32(id[:]) }

func serialString(id uuid.UUID) string {
	return fmt.Sprintf("%04X-%04X", serial(id)>>16, serial(id)&0xffff)
}
