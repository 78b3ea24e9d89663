package ext4

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// offsets returns where encoding/binary puts the fields of a struct.
func offsets(v any) map[string]int {
	fields := map[string]int{}
	at := 0
	for f, value := range reflect.ValueOf(v).Fields() {
		fields[f.Name] = at
		at += binary.Size(value.Interface())
	}
	fields["sizeof"] = at
	return fields
}

// The offsets are those of the kernel's fs/ext4/ext4.h, and of
// include/linux/jbd2.h for the journal.
func TestStructOffsets(t *testing.T) {
	for name, tc := range map[string]struct {
		got  any
		want map[string]int
	}{
		"ext4_super_block": {superblock{}, map[string]int{
			"InodesCount": 0x0, "BlocksCountLo": 0x4, "RBlocksCountLo": 0x8, "FreeBlocksCountLo": 0xc,
			"FreeInodesCount": 0x10, "FirstDataBlock": 0x14, "LogBlockSize": 0x18, "LogClusterSize": 0x1c,
			"BlocksPerGroup": 0x20, "ClustersPerGroup": 0x24, "InodesPerGroup": 0x28, "Mtime": 0x2c, "Wtime": 0x30,
			"MntCount": 0x34, "MaxMntCount": 0x36, "Magic": 0x38, "State": 0x3a, "Errors": 0x3c, "MinorRevLevel": 0x3e,
			"Lastcheck": 0x40, "Checkinterval": 0x44, "CreatorOS": 0x48, "RevLevel": 0x4c, "DefResuid": 0x50,
			"DefResgid": 0x52, "FirstIno": 0x54, "InodeSize": 0x58, "BlockGroupNr": 0x5a, "FeatureCompat": 0x5c,
			"FeatureIncompat": 0x60, "FeatureROCompat": 0x64, "UUID": 0x68, "VolumeName": 0x78, "LastMounted": 0x88,
			"AlgorithmBitmap": 0xc8, "PreallocBlocks": 0xcc, "PreallocDirBlocks": 0xcd, "ReservedGDTBlocks": 0xce,
			"JournalUUID": 0xd0, "JournalInum": 0xe0, "JournalDev": 0xe4, "LastOrphan": 0xe8, "HashSeed": 0xec,
			"DefHashVersion": 0xfc, "JnlBackupType": 0xfd, "DescSize": 0xfe, "DefaultMountOpts": 0x100,
			"FirstMetaBG": 0x104, "MkfsTime": 0x108, "JnlBlocks": 0x10c, "BlocksCountHi": 0x150, "RBlocksCountHi": 0x154,
			"FreeBlocksCountHi": 0x158, "MinExtraIsize": 0x15c, "WantExtraIsize": 0x15e, "Flags": 0x160,
			"RaidStride": 0x164, "MMPInterval": 0x166, "MMPBlock": 0x168, "RaidStripeWidth": 0x170,
			"LogGroupsPerFlex": 0x174, "ChecksumType": 0x175, "EncryptionLevel": 0x176, "ReservedPad": 0x177,
			"KbytesWritten": 0x178, "Snapshot": 0x180, "SnapshotList": 0x190, "Errs": 0x194, "MountOpts": 0x200,
			"UsrQuotaInum": 0x240, "GrpQuotaInum": 0x244, "OverheadClusters": 0x248, "BackupBGs": 0x24c,
			"EncryptAlgos": 0x254, "EncryptPwSalt": 0x258, "LpfIno": 0x268, "PrjQuotaInum": 0x26c, "ChecksumSeed": 0x270,
			"WtimeHi": 0x274, "MtimeHi": 0x275, "MkfsTimeHi": 0x276, "LastcheckHi": 0x277, "ErrTimesHi": 0x278,
			"Encoding": 0x27c, "EncodingFlags": 0x27e, "OrphanFileInum": 0x280, "Reserved": 0x284, "Checksum": 0x3fc,
			"sizeof": 0x400,
		}},
		"ext4_group_desc": {groupDesc{}, map[string]int{
			"BlockBitmapLo": 0x0, "InodeBitmapLo": 0x4, "InodeTableLo": 0x8, "FreeBlocksLo": 0xc, "FreeInodesLo": 0xe,
			"UsedDirsLo": 0x10, "Flags": 0x12, "ExcludeBitmapLo": 0x14, "BlockBitmapCsumLo": 0x18,
			"InodeBitmapCsumLo": 0x1a, "ItableUnusedLo": 0x1c, "Checksum": 0x1e, "BlockBitmapHi": 0x20,
			"InodeBitmapHi": 0x24, "InodeTableHi": 0x28, "FreeBlocksHi": 0x2c, "FreeInodesHi": 0x2e, "UsedDirsHi": 0x30,
			"ItableUnusedHi": 0x32, "ExcludeBitmapHi": 0x34, "BlockBitmapCsumHi": 0x38, "InodeBitmapCsumHi": 0x3a,
			"Reserved": 0x3c, "sizeof": descSize,
		}},
		"ext4_inode": {inode{}, map[string]int{
			"Mode": 0x0, "UID": 0x2, "SizeLo": 0x4, "Atime": 0x8, "Ctime": 0xc, "Mtime": 0x10, "Dtime": 0x14, "GID": 0x18,
			"LinksCount": 0x1a, "BlocksLo": 0x1c, "Flags": 0x20, "VersionLo": 0x24, "Block": 0x28, "Generation": 0x64,
			"FileACLLo": 0x68, "SizeHigh": 0x6c, "ObsoFaddr": 0x70, "BlocksHigh": 0x74, "FileACLHigh": 0x76,
			"UIDHigh": 0x78, "GIDHigh": 0x7a, "ChecksumLo": 0x7c, "Reserved": 0x7e, "ExtraIsize": 0x80, "ChecksumHi": 0x82,
			"CtimeExtra": 0x84, "MtimeExtra": 0x88, "AtimeExtra": 0x8c, "Crtime": 0x90, "CrtimeExtra": 0x94,
			"VersionHi": 0x98, "ProjID": 0x9c, "sizeof": 128 + extraSize,
		}},
		"journal_superblock_s": {journalSuperblock{}, map[string]int{
			"Magic": 0x0, "BlockType": 0x4, "HeaderSeq": 0x8, "BlockSize": 0xc, "MaxLen": 0x10, "First": 0x14,
			"Sequence": 0x18, "Start": 0x1c, "Errno": 0x20, "FeatureCompat": 0x24, "FeatureIncompat": 0x28,
			"FeatureROCompat": 0x2c, "UUID": 0x30, "NrUsers": 0x40, "sizeof": 0x44,
		}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, offsets(tc.got)) })
	}
}

// inode.put leaves out what is always zero, and else has to be what
// encoding/binary does.
func TestInodePut(t *testing.T) {
	i := inode{
		Mode: 0x0102, UID: 0x0304, SizeLo: 0x05060708, Atime: 0x090a0b0c, Ctime: 0x0d0e0f10, Mtime: 0x11121314,
		GID: 0x1516, LinksCount: 0x1718, BlocksLo: 0x191a1b1c, Flags: 0x1d1e1f20, FileACLLo: 0x21222324,
		SizeHigh: 0x25262728, BlocksHigh: 0x292a, FileACLHigh: 0x2b2c, UIDHigh: 0x2d2e, GIDHigh: 0x2f30,
		ExtraIsize: 0x3132, CtimeExtra: 0x33343536, MtimeExtra: 0x3738393a, AtimeExtra: 0x3b3c3d3e,
		Crtime: 0x3f404142, CrtimeExtra: 0x43444546,
	}
	for k := range i.Block {
		i.Block[k] = byte(k + 0x80)
	}
	var want bytes.Buffer
	require.NoError(t, binary.Write(&want, binary.LittleEndian, &i))
	got := make([]byte, want.Len())
	i.put(got)
	require.Equal(t, want.Bytes(), got)
}

func TestHasSuper(t *testing.T) {
	var got []int64
	for g := range int64(400) {
		if hasSuper(g) {
			got = append(got, g)
		}
	}
	require.Equal(t, []int64{0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343}, got)
}

// Every block is either in a table or free, and in one of these once.
func TestLayoutCoversTheVolume(t *testing.T) {
	for _, blockSize := range []int64{1024, 2048, 4096} {
		for _, blocks := range []int64{16, 100, 8192, 8193, 40000, 1 << 20, 5<<20 + 12345} {
			for _, inodes := range []int64{12, blocks / 16, blocks / 4, blocks} {
				l, err := newLayout(blockSize, blocks, inodes)
				if err == errTooSmall || err == errTooManyInodes {
					continue
				}
				require.NoError(t, err)
				require.LessOrEqual(t, l.blocks, blocks)
				require.GreaterOrEqual(t, l.inodes(), inodes)
				all := map[int64]int64{} // start -> end
				for _, m := range l.meta {
					all[m.start] = m.end
				}
				for _, f := range l.free {
					_, ok := all[f.start]
					require.False(t, ok, "block %d is in a table, and free", f.start)
					all[f.start] = f.end
				}
				require.Len(t, all, len(l.meta)+len(l.free))
				pos := l.first
				for range all {
					end, ok := all[pos]
					require.True(t, ok, "block %d is neither in a table nor free", pos)
					pos = end
				}
				require.Equal(t, l.blocks, pos)
			}
		}
	}
}

// Trees of any depth lead to all extents in order.
func TestExtentTree(t *testing.T) {
	const blockSize = 1024
	perBlock := extentsPerBlock(blockSize)
	require.Equal(t, 84, perBlock)
	for _, n := range []int{0, 1, 4, 5, 84, 85, 4 * 84, 4*84 + 1, 84*84 + 1, 4 * 84 * 84, 4*84*84 + 1} {
		var extents []extent
		for i := range n {
			extents = append(extents, extent{logical: uint32(2 * i), length: 1, start: 1<<33 + int64(3*i)})
		}
		var blocks []int64
		for i := range treeBlocks(n, perBlock) {
			blocks = append(blocks, 1<<34+int64(5*i))
		}
		tree := extentTree{extents, blocks, perBlock}
		read := map[int64][]byte{}
		for i, block := range blocks {
			read[block] = make([]byte, blockSize)
			tree.putBlock(read[block], i, 77)
		}
		root := make([]byte, 60)
		tree.putRoot(root)
		require.Equal(t, extents, walkExtents(t, root, read, tree.depth()))
		require.Empty(t, read, "blocks that nothing leads to")
	}
}

// walkExtents reads an extent tree as ext4_ext_binsearch would find it.
func walkExtents(t *testing.T, node []byte, blocks map[int64][]byte, depth int) (list []extent) {
	le := binary.LittleEndian
	require.Equal(t, uint16(extentMagic), le.Uint16(node))
	require.Equal(t, uint16(depth), le.Uint16(node[6:]))
	n, room := int(le.Uint16(node[2:])), int(le.Uint16(node[4:]))
	require.LessOrEqual(t, n, room)
	if len(node) > 60 {
		require.Equal(t, crc32c(77, node[:12+12*room]), le.Uint32(node[12+12*room:]))
	}
	for i := range n {
		e := node[12+12*i:]
		if depth == 0 {
			list = append(list, extent{le.Uint32(e), uint32(le.Uint16(e[4:])), int64(le.Uint16(e[6:]))<<32 | int64(le.Uint32(e[8:]))})
			continue
		}
		block := int64(le.Uint16(e[8:]))<<32 | int64(le.Uint32(e[4:]))
		require.Contains(t, blocks, block)
		sub := walkExtents(t, blocks[block], blocks, depth-1)
		delete(blocks, block)
		require.Equal(t, le.Uint32(e), sub[0].logical)
		list = append(list, sub...)
	}
	return list
}
