package squashfs

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

// The offsets and sizes are those of the structures in fs/squashfs/squashfs_fs.h,
// those of inodes without the 16 bytes that all of them begin with.
func TestStructures(t *testing.T) {
	for _, tc := range []struct {
		s      any
		fields map[string][2]int // offset, size
		size   int
	}{
		{superblock{}, map[string][2]int{
			"Magic": {0, 4}, "Inodes": {4, 4}, "MkfsTime": {8, 4}, "BlockSize": {12, 4}, "Fragments": {16, 4},
			"Compression": {20, 2}, "BlockLog": {22, 2}, "Flags": {24, 2}, "IDs": {26, 2}, "Major": {28, 2}, "Minor": {30, 2},
			"RootInode": {32, 8}, "BytesUsed": {40, 8}, "IDTable": {48, 8}, "XattrTable": {56, 8}, "InodeTable": {64, 8},
			"DirectoryTable": {72, 8}, "FragmentTable": {80, 8}, "LookupTable": {88, 8},
		}, superblockLen},
		{inodeHeader{}, map[string][2]int{"Type": {0, 2}, "Mode": {2, 2}, "UID": {4, 2}, "GID": {6, 2}, "ModTime": {8, 4}, "Number": {12, 4}}, 16},
		{regularInode{}, map[string][2]int{"Start": {0, 4}, "Fragment": {4, 4}, "Offset": {8, 4}, "Size": {12, 4}}, 32 - 16},
		{extendedRegularInode{}, map[string][2]int{
			"Start": {0, 8}, "Size": {8, 8}, "Sparse": {16, 8}, "Links": {24, 4}, "Fragment": {28, 4}, "Offset": {32, 4}, "Xattr": {36, 4},
		}, 56 - 16},
		{dirInode{}, map[string][2]int{"Start": {0, 4}, "Links": {4, 4}, "Size": {8, 2}, "Offset": {10, 2}, "Parent": {12, 4}}, 32 - 16},
		{extendedDirInode{}, map[string][2]int{
			"Links": {0, 4}, "Size": {4, 4}, "Start": {8, 4}, "Parent": {12, 4}, "IndexLen": {16, 2}, "Offset": {18, 2}, "Xattr": {20, 4},
		}, 40 - 16},
		{dirIndex{}, map[string][2]int{"Index": {0, 4}, "Start": {4, 4}, "NameLen": {8, 4}}, 12},
		{symlinkInode{}, map[string][2]int{"Links": {0, 4}, "TargetLen": {4, 4}}, 24 - 16},
		{deviceInode{}, map[string][2]int{"Links": {0, 4}, "Device": {4, 4}}, 24 - 16},
		{ipcInode{}, map[string][2]int{"Links": {0, 4}}, 20 - 16},
		{dirHeader{}, map[string][2]int{"Count": {0, 4}, "Start": {4, 4}, "Number": {8, 4}}, 12},
		{dirEntry{}, map[string][2]int{"Offset": {0, 2}, "Number": {2, 2}, "Type": {4, 2}, "NameLen": {6, 2}}, 8},
		{fragmentEntry{}, map[string][2]int{"Start": {0, 8}, "Size": {8, 4}, "Unused": {12, 4}}, 16},
		{xattrEntry{}, map[string][2]int{"Type": {0, 2}, "NameLen": {2, 2}}, 4},
		{xattrID{}, map[string][2]int{"Xattrs": {0, 8}, "Count": {8, 4}, "Size": {12, 4}}, 16},
		{xattrTable{}, map[string][2]int{"Start": {0, 8}, "IDs": {8, 4}, "Unused": {12, 4}}, 16},
	} {
		typ := reflect.TypeOf(tc.s)
		t.Run(typ.Name(), func(t *testing.T) {
			require.Equal(t, tc.size, binary.Size(tc.s))
			got := map[string][2]int{}
			for i := range typ.NumField() {
				got[typ.Field(i).Name] = fieldPlace(t, typ, i)
			}
			require.Equal(t, tc.fields, got)
		})
	}
}

// fieldPlace returns where the bytes of a field are once they are written.
func fieldPlace(t *testing.T, typ reflect.Type, field int) [2]int {
	t.Helper()
	v := reflect.New(typ).Elem()
	f := v.Field(field)
	if f.CanUint() {
		f.SetUint(math.MaxUint64 >> (64 - f.Type().Bits()))
	} else {
		f.SetInt(-1)
	}
	place := [2]int{-1, 0}
	for at, b := range appendStruct(nil, v.Interface()) {
		if b != 0 {
			if place[0] < 0 {
				place[0] = at
			}
			place[1]++
		}
	}
	return place
}

func TestMetaRef(t *testing.T) {
	r := newMetaRef(0xdeadbeef, 0x1fff)
	require.Equal(t, metaRef(0xdeadbeef1fff), r)
	require.Equal(t, "deadbeef 1fff", fmt.Sprintf("%x %x", r.block(), r.offset()))
}

// new_encode_dev of include/linux/kdev_t.h.
func TestDeviceNumber(t *testing.T) {
	for d, want := range map[filetree.Device]uint32{
		{Major: 8, Minor: 1}: 0x801, {Major: 0, Minor: 0x100}: 0x100000, {Major: 4095, Minor: 1<<20 - 1}: 0xffffffff,
	} {
		require.Equal(t, want, deviceNumber(d))
	}
}

// A table of 8 KiB blocks keeps its order, whatever pieces it is written in.
func TestMetaWriter(t *testing.T) {
	m := newMetaWriter(nil)
	for i := range 5000 {
		ref := m.ref()
		at := i * 7
		require.Equal(t, newMetaRef(int64(at/metaBlockLen*(metaBlockLen+2)), at%metaBlockLen), ref)
		_, _ = m.Write([]byte("1234567"))
	}
	s, err := newSpool(t.TempDir())
	require.NoError(t, err)
	defer s.close()
	start, err := m.indexed(s)
	require.NoError(t, err)
	require.Equal(t, int64(35000+5*2), start)
	require.Equal(t, start+5*8, s.pos())
}

func TestSpoolRewinds(t *testing.T) {
	s, err := newSpool(t.TempDir())
	require.NoError(t, err)
	defer s.close()
	require.NoError(t, s.write(make([]byte, 3*spoolBuffer+10)))
	require.NoError(t, s.write([]byte("in the buffer")))
	s.rewind(3*spoolBuffer + 10)
	require.NoError(t, s.write([]byte("again")))
	s.rewind(100)
	require.NoError(t, s.write([]byte("in the file")))
	require.NoError(t, s.finish())
	info, err := s.file.Stat()
	require.NoError(t, err)
	require.Equal(t, int64(111), info.Size())
	b := make([]byte, 11)
	_, err = s.file.ReadAt(b, 100)
	require.NoError(t, err)
	require.Equal(t, "in the file", string(b))
}

// What does not fit the short inode of a regular file gets a long one.
func TestInodeOfALargeImage(t *testing.T) {
	tr := filetree.New()
	n, err := tr.Add("file", filetree.Entry{Mode: 0o644, Size: 1 << 32})
	require.NoError(t, err)
	short, err := tr.Add("short", filetree.Entry{Mode: 0o644, Size: 1<<32 - 1})
	require.NoError(t, err)
	for _, tc := range []struct {
		node filetree.Node
		c    content
		typ  uint16
		size int
	}{
		{short, content{start: math.MaxUint32, tail: noTail, blocks: []uint32{7, 8}}, typeRegular, 32 + 8},
		{short, content{start: math.MaxUint32 + 1, tail: noTail, blocks: []uint32{7, 8}}, typeRegular + typeExtended, 56 + 8},
		{short, content{sparse: 1, tail: noTail, blocks: []uint32{0, 3, 9}}, typeRegular + typeExtended, 56 + 16},
		{n, content{tail: noTail}, typeRegular + typeExtended, 56},
	} {
		b := &builder{params: params{tree: tr}, idOf: map[uint32]uint16{0: 0}, inodeOf: []uint32{1, 2, 3}, refs: make([]metaRef, 3), inodes: newMetaWriter(nil)}
		b.regularInode(tc.node, &tc.c)
		require.Equal(t, tc.size, len(b.inodes.raw))
		require.Equal(t, tc.typ, binary.LittleEndian.Uint16(b.inodes.raw))
	}
}
