package ext4

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"

	"github.com/drivebay/drivebay/image/volume"
)

// Features that a reader meets beside those that are written here
// (fs/ext4/ext4.h, EXT4_FEATURE_*).
const (
	compatSparseSuper2 = 0x0200

	incompatRecover    = 0x0004
	incompatJournalDev = 0x0008
	incompatMetaBG     = 0x0010
	incompatMMP        = 0x0100
	incompatEAInode    = 0x0400
	incompatCsumSeed   = 0x2000
	incompatLargeDir   = 0x4000
	incompatInlineData = 0x8000
	incompatEncrypt    = 0x10000
	incompatCaseFold   = 0x20000

	roCompatBigalloc = 0x0200
)

// incompatRead is the incompatible features that are read. Others change what
// structures mean.
const incompatRead = incompatFiletype | incompatRecover | incompatMetaBG | incompatExtents | incompat64bit | incompatMMP | incompatFlexBG |
	incompatEAInode | incompatCsumSeed | incompatLargeDir | incompatInlineData | incompatEncrypt | incompatCaseFold

// incompatNames are the names that e2fsprogs has for the others.
var incompatNames = map[uint32]string{
	0x0001:             "compression",
	incompatJournalDev: "journal_dev",
	0x1000:             "dirdata",
}

// readSuperblock reads the superblock and refuses what cannot be.
func (v *readVolume) readSuperblock() error {
	b := make([]byte, superblockSize)
	if n, err := v.r.ReadAt(b, superblockOffset); n < len(b) && err != io.EOF {
		return fmt.Errorf("read superblock: %w", err)
	}
	sb := &v.sb
	if _, err := binary.Decode(b, binary.LittleEndian, sb); err != nil {
		return err // cannot happen: b has the size of sb
	}
	if sb.Magic != superblockMagic {
		return fmt.Errorf("%w: the superblock's magic number is %#04x: want %#04x", ErrNotExt, sb.Magic, superblockMagic)
	}
	if sb.RevLevel == 0 {
		sb.FeatureCompat, sb.FeatureIncompat, sb.FeatureROCompat = 0, 0, 0
	}
	if err := v.checkFeatures(); err != nil {
		return err
	}
	if v.checksums() {
		if sb.ChecksumType != checksumCRC32C {
			return damaged("the superblock's checksums are of type %d: want %d", sb.ChecksumType, checksumCRC32C)
		}
		if err := checkSum(sb.Checksum, crc32c(^uint32(0), b[:superblockSize-4]), "the superblock"); err != nil {
			return err
		}
	}
	v.seed = crc32c(^uint32(0), sb.UUID[:])
	if v.incompat(incompatCsumSeed) {
		v.seed = sb.ChecksumSeed
	}
	if err := v.checkSizes(); err != nil {
		return err
	}
	return v.checkCounts()
}

func (v *readVolume) checkFeatures() error {
	if unknown := v.sb.FeatureIncompat &^ incompatRead; unknown != 0 {
		var names []string
		for bit := uint32(1); bit != 0; bit <<= 1 {
			if name, ok := incompatNames[bit]; ok && unknown&bit != 0 {
				names = append(names, name)
				unknown &^= bit
			}
		}
		if unknown != 0 {
			names = append(names, fmt.Sprintf("%#x, which is not known", unknown))
		}
		return fmt.Errorf("%w: %s", volume.ErrFeature, strings.Join(names, ", "))
	}
	if v.incompat(incompatRecover) {
		return ErrJournal
	}
	return nil
}

// checkSizes checks the sizes of structures.
func (v *readVolume) checkSizes() error {
	sb := &v.sb
	if sb.LogBlockSize > 6 {
		return damaged("the superblock has blocks of 1024<<%d bytes: want at most 65536", sb.LogBlockSize)
	}
	v.blockBits = 10 + int(sb.LogBlockSize)
	v.blockSize = 1 << v.blockBits
	v.inodeSize, v.firstInode = goodOldInode, inoLostFound
	if sb.RevLevel > 0 {
		v.inodeSize, v.firstInode = int64(sb.InodeSize), sb.FirstIno
	}
	if v.inodeSize < goodOldInode || v.inodeSize > v.blockSize || bits.OnesCount64(uint64(v.inodeSize)) != 1 {
		return damaged("the superblock has inodes of %d bytes: want a power of two from 128 to %d", v.inodeSize, v.blockSize)
	}
	v.descSize = 32
	if v.incompat(incompat64bit) {
		v.descSize = int64(sb.DescSize)
		if v.descSize < descSize || v.descSize > 1024 || bits.OnesCount64(uint64(v.descSize)) != 1 {
			return damaged("the superblock has group descriptors of %d bytes: want a power of two from 64 to 1024", v.descSize)
		}
	}
	return nil
}

// checkCounts checks how much there is of everything.
func (v *readVolume) checkCounts() error {
	sb := &v.sb
	v.blocks = int64(sb.BlocksCountLo)
	if v.incompat(incompat64bit) {
		v.blocks |= int64(sb.BlocksCountHi) << 32
	}
	v.first = int64(sb.FirstDataBlock)
	perGroup := int64(sb.BlocksPerGroup)
	inodesPerBlock := v.blockSize / v.inodeSize
	switch most := v.size >> v.blockBits; {
	case v.blocks > most || v.blocks < 1:
		return damaged("the superblock has %d blocks of %d bytes: want 1 to %d in the volume's %d bytes", v.blocks, v.blockSize, most, v.size)
	case v.first >= v.blocks || v.first > 1:
		return damaged("the superblock has %d as its first block: want 0 or 1", v.first)
	case perGroup == 0 || perGroup > 8*v.blockSize<<v.clusterBits():
		return damaged("the superblock has %d blocks in a group: want 1 to %d", perGroup, 8*v.blockSize<<v.clusterBits())
	case int64(sb.InodesPerGroup) < inodesPerBlock || int64(sb.InodesPerGroup) > 8*v.blockSize:
		return damaged("the superblock has %d inodes in a group: want %d to %d", sb.InodesPerGroup, inodesPerBlock, 8*v.blockSize)
	}
	v.groups = ceilDiv(v.blocks-v.first, perGroup)
	if int64(sb.InodesCount) > v.groups*int64(sb.InodesPerGroup) || sb.InodesCount < inoRoot {
		return damaged("the superblock has %d inodes: want %d to %d in %d groups", sb.InodesCount, inoRoot, v.groups*int64(sb.InodesPerGroup), v.groups)
	}
	return nil
}

// clusterBits is log2 of the blocks in a cluster, the unit that is allocated.
func (v *readVolume) clusterBits() uint32 {
	if !v.roCompat(roCompatBigalloc) || v.sb.LogClusterSize < v.sb.LogBlockSize {
		return 0
	}
	return min(v.sb.LogClusterSize-v.sb.LogBlockSize, 19) // 512 MiB with the smallest blocks
}

func (v *readVolume) freeBlocks() int64 {
	free := int64(v.sb.FreeBlocksCountLo)
	if v.incompat(incompat64bit) {
		free |= int64(v.sb.FreeBlocksCountHi) << 32
	}
	return max(0, min(free, v.blocks>>v.clusterBits())) << v.clusterBits()
}

// format tells the members of the family apart by their features, as blkid does.
func (v *readVolume) format() string {
	const (
		ext3Incompat = incompatFiletype | incompatRecover | incompatMetaBG
		ext3ROCompat = roCompatSparseSuper | roCompatLargeFile | 0x0004 // btree_dir
	)
	switch {
	case v.sb.FeatureIncompat&^ext3Incompat != 0 || v.sb.FeatureROCompat&^ext3ROCompat != 0:
		return "ext4"
	case v.sb.FeatureCompat&compatJournal != 0:
		return "ext3"
	}
	return "ext2"
}

// hasSuper reports whether a group begins with a copy of the superblock
// (fs/ext4/balloc.c, ext4_bg_has_super).
func (v *readVolume) hasSuper(group int64) bool {
	switch {
	case group == 0:
		return true
	case v.sb.FeatureCompat&compatSparseSuper2 != 0:
		return slices.Contains(v.sb.BackupBGs[:], uint32(group))
	case group == 1 || !v.roCompat(roCompatSparseSuper):
		return true
	}
	for _, base := range []int64{3, 5, 7} {
		n := base
		for n < group {
			n *= base
		}
		if n == group {
			return true
		}
	}
	return false
}
