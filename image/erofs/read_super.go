package erofs

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/drivebay/drivebay/image/volume"
)

// What is read beyond what is written: blocks of up to 64 KiB, as machines with
// such pages make them.
const maxReadBlockBits = 16

// incompatRead are the features that are read, or that are of compressed files
// alone, which are refused one by one.
const incompatRead = incompatZeroPadding | incompatCompressions | incompatChunked | incompatDevices |
	incompatTails | incompatFragments | incompatPrefixes

// readSuperblock reads the superblock and refuses what cannot be.
func (v *readVolume) readSuperblock() error {
	b := make([]byte, superLen)
	if n, err := v.r.ReadAt(b, superOffset); n < len(b) && err != io.EOF {
		return fmt.Errorf("read superblock: %w", err)
	}
	sb := &v.sb
	if _, err := binary.Decode(b, le, sb); err != nil {
		return err // cannot happen: b has the size of sb
	}
	if sb.Magic != magic {
		return fmt.Errorf("%w: the superblock's magic number is %#08x: want %#08x", ErrNotEROFS, sb.Magic, uint32(magic))
	}
	if err := v.checkFeatures(); err != nil {
		return err
	}
	if sb.BlockBits < minBlockBits || sb.BlockBits > maxReadBlockBits {
		return damaged("the superblock has blocks of 1<<%d bytes: want 1<<%d to 1<<%d", sb.BlockBits, minBlockBits, maxReadBlockBits)
	}
	v.blockSize = 1 << sb.BlockBits
	v.used = int64(sb.Blocks) << sb.BlockBits
	v.meta = int64(sb.MetaBlock) << sb.BlockBits
	if v.used < superOffset+superLen || v.used > v.size {
		return damaged("the superblock has %d blocks of %d bytes: want %d to the volume's %d bytes", sb.Blocks, v.blockSize, superOffset+superLen, v.size)
	}
	return v.checkSuperblock()
}

// checkFeatures refuses what is not read.
func (v *readVolume) checkFeatures() error {
	sb := &v.sb
	switch unknown := sb.Incompat &^ incompatRead; {
	case unknown&incompat48bit != 0:
		return fmt.Errorf("%w: numbers of blocks of 48 bits", volume.ErrFeature)
	case unknown&incompatMetabox != 0:
		return fmt.Errorf("%w: metadata in a file", volume.ErrFeature)
	case unknown != 0:
		return fmt.Errorf("%w: incompatible features %#x", volume.ErrFeature, unknown)
	case sb.ExtraDevices != 0 && sb.Incompat&incompatDevices != 0:
		return fmt.Errorf("%w: it has contents on %d further devices", volume.ErrFeature, sb.ExtraDevices)
	case sb.DirBlockBits != 0:
		return fmt.Errorf("%w: directories have blocks of 1<<%d others", volume.ErrFeature, sb.DirBlockBits)
	}
	return nil
}

// checkSuperblock compares the checksum, which is of the superblock and the rest of
// its block (fs/erofs/super.c, erofs_superblock_csum_verify).
func (v *readVolume) checkSuperblock() error {
	if v.sb.Compat&compatChecksum == 0 {
		return nil
	}
	b, err := v.readAt(superOffset, v.blockSize-superOffset%v.blockSize, "the superblock")
	if err != nil {
		return err
	}
	clear(b[4:8])
	if sum := crc32c(b); sum != v.sb.Checksum {
		return damaged("the superblock has the checksum %#08x: want %#08x", v.sb.Checksum, sum)
	}
	return nil
}
