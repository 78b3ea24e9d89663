package squashfs

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"github.com/drivebay/drivebay/image/volume"
)

// readSuperblock reads the superblock and refuses what cannot be.
func (v *readVolume) readSuperblock() error {
	b := make([]byte, superblockLen)
	if n, err := v.r.ReadAt(b, 0); n < len(b) && err != io.EOF {
		return fmt.Errorf("read superblock: %w", err)
	}
	sb := &v.sb
	if _, err := binary.Decode(b, le, sb); err != nil {
		return err // cannot happen: b has the size of sb
	}
	switch {
	case sb.Magic == bits.ReverseBytes32(magic):
		return fmt.Errorf("%w: it is of the other byte order, as before version 4.0", volume.ErrFeature)
	case sb.Magic != magic:
		return fmt.Errorf("%w: the superblock's magic number is %#08x: want %#08x", ErrNotSquashfs, sb.Magic, magic)
	case sb.Major != 4 || sb.Minor != 0:
		return fmt.Errorf("%w: version %d.%d: want 4.0", volume.ErrFeature, sb.Major, sb.Minor)
	case sb.BlockSize < minBlockSize || sb.BlockSize > maxBlockSize || 1<<sb.BlockLog != sb.BlockSize:
		return damaged("the superblock has blocks of %d bytes, 1<<%d: want a power of two from %d to %d", sb.BlockSize, sb.BlockLog, minBlockSize, maxBlockSize)
	case sb.BytesUsed < superblockLen || sb.BytesUsed > uint64(max(0, v.size)):
		return damaged("the superblock has %d bytes in use: want %d to the volume's %d", sb.BytesUsed, superblockLen, v.size)
	case sb.IDs == 0:
		return damaged("the superblock has no owners: want at least one")
	}
	return v.checkTables()
}

// checkTables refuses tables that are outside of the volume or in another order
// than the one that says where they end (fs/squashfs/super.c).
func (v *readVolume) checkTables() error {
	sb := &v.sb
	last, name := uint64(superblockLen), "superblock"
	for _, t := range []struct {
		name  string
		at    uint64
		empty bool
	}{
		{"table of inodes", sb.InodeTable, false},
		{"table of directories", sb.DirectoryTable, false},
		{"table of fragments", sb.FragmentTable, sb.Fragments == 0},
		{"table for NFS", sb.LookupTable, true},
		{"table of owners", sb.IDTable, false},
		{"table of attributes", sb.XattrTable, true},
	} {
		if t.at == noTable && t.empty {
			continue
		}
		if t.at < last || t.at > sb.BytesUsed {
			return damaged("the %s is at %d: want it from %d, that of the %s, to %d", t.name, t.at, last, name, sb.BytesUsed)
		}
		last, name = t.at, t.name
	}
	return nil
}
