package fat

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// field is a row of one of fatgen103's tables.
type field struct {
	name         string
	offset, size int
	want         string // the bytes in hexadecimal, or text after a quote
}

// checkFields holds bytes against a table, and everything that is not in the
// table against zero.
func checkFields(t *testing.T, b []byte, fields []field) {
	t.Helper()
	rest := append([]byte(nil), b...)
	end := 0
	for _, f := range fields {
		require.GreaterOrEqual(t, f.offset, end, "%s: the table is out of order", f.name)
		end = f.offset + f.size
		want, isText := strings.CutPrefix(f.want, `"`)
		if !isText {
			raw, err := hex.DecodeString(strings.ReplaceAll(f.want, " ", ""))
			require.NoError(t, err, f.name)
			want = string(raw)
		}
		require.Len(t, want, f.size, f.name)
		require.Equal(t, []byte(want), b[f.offset:end], f.name)
		clear(rest[f.offset:end])
	}
	require.Equal(t, make([]byte, len(b)), rest, "what no field covers")
}

// planFor plans an empty volume for looking at its sectors.
func planFor(t *testing.T, fs *FileSystem, size int64) *plan {
	t.Helper()
	p, err := fs.Plan(t.Context(), volume.Geometry{
		SectorSize: 512, Offset: 1 << 20, Size: size,
		Time: time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC),
	})

	require.NoError(t, err)
	return p.(*plan)
}

func TestBootSectorFAT16(t *testing.T) {
	p := planFor(t, &FileSystem{Label: "LABEL", ID: 0x12345678}, 64<<20)
	require.Equal(t, FAT16, p.typ)
	checkFields(t, p.bootSector(), []field{
		{"BS_jmpBoot", 0, 3, "eb3c90"},
		{"BS_OEMName", 3, 8, `"MSWIN4.1`},
		{"BPB_BytsPerSec", 11, 2, "0002"},
		{"BPB_SecPerClus", 13, 1, "04"},
		{"BPB_RsvdSecCnt", 14, 2, "0800"},
		{"BPB_NumFATs", 16, 1, "02"},
		{"BPB_RootEntCnt", 17, 2, "0002"},
		{"BPB_TotSec16", 19, 2, "0000"},
		{"BPB_Media", 21, 1, "f8"},
		{"BPB_FATSz16", 22, 2, "8000"},
		{"BPB_SecPerTrk", 24, 2, "2000"},
		{"BPB_NumHeads", 26, 2, "0800"},
		{"BPB_HiddSec", 28, 4, "00080000"},
		{"BPB_TotSec32", 32, 4, "00000200"},
		{"BS_DrvNum", 36, 1, "80"},
		{"BS_Reserved1", 37, 1, "00"},
		{"BS_BootSig", 38, 1, "29"},
		{"BS_VolID", 39, 4, "78563412"},
		{"BS_VolLab", 43, 11, `"LABEL      `},
		{"BS_FilSysType", 54, 8, `"FAT16   `},
		{"code", 62, 5, "cd18f4ebfd"},
		{"signature", 510, 2, "55aa"},
	})
}

func TestBootSectorFAT12(t *testing.T) {
	p := planFor(t, &FileSystem{}, 1<<20)
	b := p.bootSector()
	require.Equal(t, []byte{0x00, 0x08}, b[19:21], "BPB_TotSec16")
	require.Equal(t, make([]byte, 4), b[32:36], "BPB_TotSec32")
	require.Equal(t, "NO NAME    FAT12   ", string(b[43:62]))
	require.NotEqual(t, make([]byte, 4), b[39:43], "BS_VolID from the seed")
}

// A volume that is a diskette says so, if it is not in a partition.
func TestBootSectorFloppy(t *testing.T) {
	p, err := (&FileSystem{ID: 1}).Plan(t.Context(), volume.Geometry{SectorSize: 512, Size: 1440 << 10})
	require.NoError(t, err)
	checkFields(t, p.(*plan).bootSector()[:62], []field{
		{"BS_jmpBoot", 0, 3, "eb3c90"},
		{"BS_OEMName", 3, 8, `"MSWIN4.1`},
		{"BPB_BytsPerSec", 11, 2, "0002"},
		{"BPB_SecPerClus", 13, 1, "01"},
		{"BPB_RsvdSecCnt", 14, 2, "0100"},
		{"BPB_NumFATs", 16, 1, "02"},
		{"BPB_RootEntCnt", 17, 2, "e000"},
		{"BPB_TotSec16", 19, 2, "400b"},
		{"BPB_Media", 21, 1, "f0"},
		{"BPB_FATSz16", 22, 2, "0900"},
		{"BPB_SecPerTrk", 24, 2, "1200"},
		{"BPB_NumHeads", 26, 2, "0200"},
		{"BS_BootSig", 38, 1, "29"},
		{"BS_VolID", 39, 4, "01000000"},
		{"BS_VolLab", 43, 11, `"NO NAME    `},
		{"BS_FilSysType", 54, 8, `"FAT12   `},
	})
}

func TestBootSectorFAT32(t *testing.T) {
	p := planFor(t, &FileSystem{Label: "EFI", ID: 0x12345678}, 1<<30)
	checkFields(t, p.bootSector(), []field{
		{"BS_jmpBoot", 0, 3, "eb5890"},
		{"BS_OEMName", 3, 8, `"MSWIN4.1`},
		{"BPB_BytsPerSec", 11, 2, "0002"},
		{"BPB_SecPerClus", 13, 1, "08"},
		{"BPB_RsvdSecCnt", 14, 2, "2000"},
		{"BPB_NumFATs", 16, 1, "02"},
		{"BPB_RootEntCnt", 17, 2, "0000"},
		{"BPB_TotSec16", 19, 2, "0000"},
		{"BPB_Media", 21, 1, "f8"},
		{"BPB_FATSz16", 22, 2, "0000"},
		{"BPB_SecPerTrk", 24, 2, "3f00"},
		{"BPB_NumHeads", 26, 2, "4000"},
		{"BPB_HiddSec", 28, 4, "00080000"},
		{"BPB_TotSec32", 32, 4, "00002000"},
		{"BPB_FATSz32", 36, 4, "fc070000"},
		{"BPB_ExtFlags", 40, 2, "0000"},
		{"BPB_FSVer", 42, 2, "0000"},
		{"BPB_RootClus", 44, 4, "02000000"},
		{"BPB_FSInfo", 48, 2, "0100"},
		{"BPB_BkBootSec", 50, 2, "0600"},
		{"BPB_Reserved", 52, 12, "000000000000000000000000"},
		{"BS_DrvNum", 64, 1, "80"},
		{"BS_Reserved1", 65, 1, "00"},
		{"BS_BootSig", 66, 1, "29"},
		{"BS_VolID", 67, 4, "78563412"},
		{"BS_VolLab", 71, 11, `"EFI        `},
		{"BS_FilSysType", 82, 8, `"FAT32   `},
		{"code", 90, 5, "cd18f4ebfd"},
		{"signature", 510, 2, "55aa"},
	})
	require.Equal(t, int64(261629), p.clusters)
	checkFields(t, p.infoSectorBytes(), []field{
		{"FSI_LeadSig", 0, 4, `"RRaA`},
		{"FSI_StrucSig", 484, 4, `"rrAa`},
		{"FSI_Free_Count", 488, 4, "fcfd0300"}, // all but the root's
		{"FSI_Nxt_Free", 492, 4, "02000000"},
		{"FSI_TrailSig", 508, 4, "000055aa"},
	})
}

// A volume so far out that its sectors cannot be counted in 32 bits hides none.
func TestHiddenSectors(t *testing.T) {
	for offset, want := range map[int64]uint32{0: 0, 1 << 20: 2048, (1<<32 - 1) * 512: 1<<32 - 1, 1 << 41: 0} {
		p, err := (&FileSystem{}).Plan(t.Context(), volume.Geometry{SectorSize: 512, Offset: offset, Size: 1 << 20})
		require.NoError(t, err)
		require.Equal(t, want, binary.LittleEndian.Uint32(p.(*plan).bootSector()[28:]))
	}
}

func TestEntry(t *testing.T) {
	e := entry{
		name:     [11]byte([]byte("NAME    TXT")),
		attr:     attrArchive | attrReadOnly,
		caseBits: lowerStem | lowerExt,
		cluster:  0x0abcdef1,
		size:     0xfedcba98,
		created:  time.Date(2107, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		written:  time.Date(1999, 3, 4, 5, 6, 7, 0, time.UTC),
		accessed: time.Date(1979, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	checkFields(t, e.append(nil), []field{
		{"DIR_Name", 0, 11, `"NAME    TXT`},
		{"DIR_Attr", 11, 1, "21"},
		{"DIR_NTRes", 12, 1, "18"},
		{"DIR_CrtTimeTenth", 13, 1, "c7"}, // 199
		{"DIR_CrtTime", 14, 2, "7dbf"},
		{"DIR_CrtDate", 16, 2, "9fff"},
		{"DIR_LstAccDate", 18, 2, "2100"}, // the first day that there is
		{"DIR_FstClusHI", 20, 2, "bc0a"},
		{"DIR_WrtTime", 22, 2, "c328"},
		{"DIR_WrtDate", 24, 2, "6426"},
		{"DIR_FstClusLO", 26, 2, "f1de"},
		{"DIR_FileSize", 28, 4, "98badcfe"},
	})
}

// The example of fatgen103, "The quick brown.fox", whose checksum is of
// "THEQUI~1FOX".
func TestLongEntries(t *testing.T) {
	b := appendLong(nil, "The quick brown.fox", [11]byte([]byte("THEQUI~1FOX")))
	require.Len(t, b, 64)
	wide := func(s string) string {
		var h strings.Builder
		for _, c := range s {
			h.WriteString(hex.EncodeToString([]byte{byte(c), byte(c >> 8)}))
		}
		return h.String()
	}
	checkFields(t, b[:32], []field{
		{"LDIR_Ord", 0, 1, "42"},
		{"LDIR_Name1", 1, 10, wide("wn.fo")},
		{"LDIR_Attr", 11, 1, "0f"},
		{"LDIR_Type", 12, 1, "00"},
		{"LDIR_Chksum", 13, 1, "07"},
		{"LDIR_Name2", 14, 12, wide("x") + "0000" + "ffffffffffffffff"},
		{"LDIR_FstClusLO", 26, 2, "0000"},
		{"LDIR_Name3", 28, 4, "ffffffff"},
	})
	checkFields(t, b[32:], []field{
		{"LDIR_Ord", 0, 1, "01"},
		{"LDIR_Name1", 1, 10, wide("The q")},
		{"LDIR_Attr", 11, 1, "0f"},
		{"LDIR_Type", 12, 1, "00"},
		{"LDIR_Chksum", 13, 1, "07"},
		{"LDIR_Name2", 14, 12, wide("uick b")},
		{"LDIR_FstClusLO", 26, 2, "0000"},
		{"LDIR_Name3", 28, 4, wide("ro")},
	})
	// 13 units fill an entry: there is no end mark.
	b = appendLong(nil, "😀 exactly 13", [11]byte{})
	require.Len(t, b, 32)
	require.Equal(t, []byte{0x3d, 0xd8, 0x00, 0xde, ' ', 0}, b[1:7], "U+1F600 is D83D DE00")
	require.Equal(t, []byte{'1', 0, '3', 0}, b[28:])
}

// The tables of a small volume, by hand: the root, a directory and two files.
func TestTable(t *testing.T) {
	for _, tc := range []struct {
		typ  Type
		want string
	}{
		// Entries 0 and 1; on FAT32 the root; d; g; d/f of 3 clusters.
		{FAT12, "f8ffff ffffff 056000 ff0f"},
		{FAT16, "f8ff ffff ffff ffff 0500 0600 ffff"},
		{FAT32, "f8ffff0f ffffff0f ffffff0f ffffff0f ffffff0f 06000000 07000000 ffffff0f"},
	} {
		t.Run(tc.typ.String(), func(t *testing.T) {
			tr := filetree.New()
			for name, size := range map[string]int64{"d/f": 1025, "g": 512} {
				_, err := tr.Add(name, filetree.Entry{Size: size})
				require.NoError(t, err)
			}
			p, err := (&FileSystem{Tree: tr, Type: tc.typ, ClusterSize: 512}).Plan(t.Context(), volume.Geometry{SectorSize: 512})
			require.NoError(t, err)
			sink := make(memory, p.Info().Size)
			w := volume.NewWriter(sink, int64(len(sink)))
			defer w.Close()
			require.NoError(t, p.Write(t.Context(), w))
			require.NoError(t, w.Flush())
			l := p.(*plan).layout
			want, err := hex.DecodeString(strings.ReplaceAll(tc.want, " ", ""))
			require.NoError(t, err)
			want = append(want, make([]byte, l.table*512-int64(len(want)))...)
			for i := range int64(tables) {
				at := (l.reserved + i*l.table) * 512
				require.Equal(t, want, []byte(sink[at:at+l.table*512]))
			}
		})
	}
}

// memory is a sink in memory.
type memory []byte

func (m memory) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }
