package ext4

import (
	"encoding/binary"
	"math/bits"
)

// Features (fs/ext4/ext4.h, EXT4_FEATURE_*).
const (
	compatJournal     = 0x0004
	compatXattr       = 0x0008
	compatResizeInode = 0x0010
	compatDirIndex    = 0x0020

	incompatFiletype = 0x0002
	incompatExtents  = 0x0040
	incompat64bit    = 0x0080
	incompatFlexBG   = 0x0200

	roCompatSparseSuper  = 0x0001
	roCompatLargeFile    = 0x0002
	roCompatHugeFile     = 0x0008
	roCompatDirNlink     = 0x0020
	roCompatExtraIsize   = 0x0040
	roCompatMetadataCsum = 0x0400
)

const (
	superblockOffset = 1024
	superblockSize   = 1024
	superblockMagic  = 0xef53
	stateClean       = 1
	errorsContinue   = 1
	dynamicRevision  = 1
	checksumCRC32C   = 1
	flagSignedHash   = 1
	mountXattr       = 0x4 // default mount options
	mountACL         = 0x8
	backupBlocks     = 1 // s_jnl_backup_type: EXT3_JNL_BACKUP_BLOCKS
)

// superblock is struct ext4_super_block (fs/ext4/ext4.h).
type superblock struct {
	InodesCount       uint32
	BlocksCountLo     uint32
	RBlocksCountLo    uint32
	FreeBlocksCountLo uint32
	FreeInodesCount   uint32
	FirstDataBlock    uint32
	LogBlockSize      uint32
	LogClusterSize    uint32
	BlocksPerGroup    uint32
	ClustersPerGroup  uint32
	InodesPerGroup    uint32
	Mtime             uint32
	Wtime             uint32
	MntCount          uint16
	MaxMntCount       uint16
	Magic             uint16
	State             uint16
	Errors            uint16
	MinorRevLevel     uint16
	Lastcheck         uint32
	Checkinterval     uint32
	CreatorOS         uint32
	RevLevel          uint32
	DefResuid         uint16
	DefResgid         uint16
	FirstIno          uint32
	InodeSize         uint16
	BlockGroupNr      uint16
	FeatureCompat     uint32
	FeatureIncompat   uint32
	FeatureROCompat   uint32
	UUID              [16]byte
	VolumeName        [16]byte
	LastMounted       [64]byte
	AlgorithmBitmap   uint32
	PreallocBlocks    uint8
	PreallocDirBlocks uint8
	ReservedGDTBlocks uint16
	JournalUUID       [16]byte
	JournalInum       uint32
	JournalDev        uint32
	LastOrphan        uint32
	HashSeed          [4]uint32
	DefHashVersion    uint8
	JnlBackupType     uint8
	DescSize          uint16
	DefaultMountOpts  uint32
	FirstMetaBG       uint32
	MkfsTime          uint32
	JnlBlocks         [17]uint32
	BlocksCountHi     uint32
	RBlocksCountHi    uint32
	FreeBlocksCountHi uint32
	MinExtraIsize     uint16
	WantExtraIsize    uint16
	Flags             uint32
	RaidStride        uint16
	MMPInterval       uint16
	MMPBlock          uint64
	RaidStripeWidth   uint32
	LogGroupsPerFlex  uint8
	ChecksumType      uint8
	EncryptionLevel   uint8
	ReservedPad       uint8
	KbytesWritten     uint64
	Snapshot          [4]uint32 // inum, id, and the reserved blocks, 64 bits
	SnapshotList      uint32
	Errs              [108]byte // what errors the kernel has met
	MountOpts         [64]byte
	UsrQuotaInum      uint32
	GrpQuotaInum      uint32
	OverheadClusters  uint32
	BackupBGs         [2]uint32
	EncryptAlgos      [4]byte
	EncryptPwSalt     [16]byte
	LpfIno            uint32
	PrjQuotaInum      uint32
	ChecksumSeed      uint32
	WtimeHi           uint8
	MtimeHi           uint8
	MkfsTimeHi        uint8
	LastcheckHi       uint8
	ErrTimesHi        [4]uint8
	Encoding          uint16
	EncodingFlags     uint16
	OrphanFileInum    uint32
	Reserved          [94]uint32
	Checksum          uint32
}

// newSuperblock returns the primary superblock, without its checksum.
func (p *plan) newSuperblock() superblock {
	l := p.layout
	now := p.time.Unix()
	reserved := l.blocks * p.reservedPercent / 100
	logBlock := uint32(bits.TrailingZeros64(uint64(l.blockSize / 1024)))
	sb := superblock{
		InodesCount:       uint32(l.inodes()),
		BlocksCountLo:     uint32(l.blocks),
		BlocksCountHi:     uint32(l.blocks >> 32),
		RBlocksCountLo:    uint32(reserved),
		RBlocksCountHi:    uint32(reserved >> 32),
		FreeBlocksCountLo: uint32(p.freeBlocks),
		FreeBlocksCountHi: uint32(p.freeBlocks >> 32),
		FreeInodesCount:   uint32(l.inodes() - int64(p.lastInode())),
		FirstDataBlock:    uint32(l.first),
		LogBlockSize:      logBlock,
		LogClusterSize:    logBlock,
		BlocksPerGroup:    uint32(l.perGroup),
		ClustersPerGroup:  uint32(l.perGroup),
		InodesPerGroup:    uint32(l.inodesPerGroup),
		Wtime:             uint32(now),
		WtimeHi:           uint8(now >> 32),
		MaxMntCount:       0xffff, // never checked by count
		Magic:             superblockMagic,
		State:             stateClean,
		Errors:            errorsContinue,
		Lastcheck:         uint32(now),
		LastcheckHi:       uint8(now >> 32),
		RevLevel:          dynamicRevision,
		FirstIno:          inoLostFound,
		InodeSize:         inodeSize,
		FeatureCompat:     compatXattr | compatResizeInode | compatDirIndex,
		FeatureIncompat:   incompatFiletype | incompatExtents | incompat64bit | incompatFlexBG,
		FeatureROCompat: roCompatSparseSuper | roCompatLargeFile | roCompatHugeFile | roCompatDirNlink |
			roCompatExtraIsize | roCompatMetadataCsum,
		UUID:              p.uuid,
		ReservedGDTBlocks: uint16(l.reservedGDT),
		HashSeed:          p.dirSeed,
		DefHashVersion:    hashHalfMD4,
		DescSize:          descSize,
		DefaultMountOpts:  mountXattr | mountACL,
		MkfsTime:          uint32(now),
		MkfsTimeHi:        uint8(now >> 32),
		MinExtraIsize:     extraSize,
		WantExtraIsize:    extraSize,
		Flags:             flagSignedHash,
		LogGroupsPerFlex:  logFlex,
		ChecksumType:      checksumCRC32C,
	}
	copy(sb.VolumeName[:], p.label)
	if p.journal.blocks > 0 {
		sb.FeatureCompat |= compatJournal
		sb.JournalInum = inoJournal
		p.backUpJournal(&sb)
	}
	return sb
}

// put writes the copy of group g. Copies are not marked clean: who has to use
// one shall check the file system first.
func (sb superblock) put(b []byte, group uint32) {
	sb.BlockGroupNr = uint16(group)
	if group != 0 {
		sb.State = 0
	}
	b = b[:superblockSize]
	encode(b, &sb)
	binary.LittleEndian.PutUint32(b[superblockSize-4:], crc32c(^uint32(0), b[:superblockSize-4]))
}

// encode writes a struct of fixed size. It is not for what there is plenty of.
func encode(b []byte, v any) {
	if _, err := binary.Encode(b, binary.LittleEndian, v); err != nil {
		panic(err) // cannot happen: b has the size of v
	}
}
