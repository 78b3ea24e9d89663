package erofs

import (
	"encoding/binary"
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

// The offsets and sizes are those of the structures in fs/erofs/erofs_fs.h.
func TestStructures(t *testing.T) {
	for _, tc := range []struct {
		name   string
		put    func(s any, b []byte)
		s      any
		fields map[string][2]int // offset, size
		fixed  map[int]byte      // bytes that no field sets
	}{
		{"erofs_super_block", func(s any, b []byte) { s.(*superblock).put(b) }, superblock{}, map[string][2]int{
			"Magic": {0, 4}, "Checksum": {4, 4}, "Compat": {8, 4}, "BlockBits": {12, 1}, "ExtraSlots": {13, 1}, "RootNID": {14, 2},
			"Inodes": {16, 8}, "BuildTime": {24, 8}, "BuildTimeNsec": {32, 4}, "Blocks": {36, 4}, "MetaBlock": {40, 4}, "XattrBlock": {44, 4},
			"UUID": {48, 16}, "Label": {64, 16}, "Incompat": {80, 4},
			"Compressions": {84, 2}, "ExtraDevices": {86, 2}, "DeviceSlot": {88, 2}, "DirBlockBits": {90, 1}, "Prefixes": {91, 1}, "PrefixStart": {92, 4},
			"PackedNID": {96, 8}, "XattrFilter": {104, 1}, "Reserved": {105, 23},
		}, nil},
		{"erofs_inode_compact", func(s any, b []byte) { s.(*inode).putCompact(b) }, inode{}, map[string][2]int{
			"layout": {0, 2}, "xattrCount": {2, 2}, "mode": {4, 2}, "links": {6, 2}, "size": {8, 4}, "data": {16, 4}, "number": {20, 4},
			"uid": {24, 2}, "gid": {26, 2}, "modTime": {-1, 0}, "modNsec": {-1, 0},
		}, nil},
		{"erofs_inode_extended", func(s any, b []byte) { s.(*inode).putExtended(b) }, inode{}, map[string][2]int{
			"layout": {0, 2}, "xattrCount": {2, 2}, "mode": {4, 2}, "size": {8, 8}, "data": {16, 4}, "number": {20, 4},
			"uid": {24, 4}, "gid": {28, 4}, "modTime": {32, 8}, "modNsec": {40, 4}, "links": {44, 4},
		}, map[int]byte{0: 1}},
		{"erofs_dirent", func(s any, b []byte) { s.(*dirent).put(b) }, dirent{}, map[string][2]int{
			"nid": {0, 8}, "nameAt": {8, 2}, "fileType": {10, 1},
		}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			typ := reflect.TypeOf(tc.s)
			got := map[string][2]int{}
			for i := range typ.NumField() {
				b := make([]byte, superLen)
				tc.put(allOnes(typ, i), b)
				for at, fixed := range tc.fixed {
					b[at] &^= fixed
				}
				got[typ.Field(i).Name] = place(b)
			}
			require.Equal(t, tc.fields, got)
		})
	}
}

// allOnes returns a pointer to a structure of which all bits of a field are set.
func allOnes(typ reflect.Type, field int) any {
	p := reflect.New(typ)
	f := reflect.NewAt(typ.Field(field).Type, p.Elem().Field(field).Addr().UnsafePointer()).Elem() // it may be unexported
	if f.Kind() == reflect.Array {
		for i := range f.Len() {
			f.Index(i).SetUint(math.MaxUint8)
		}
	} else {
		f.SetUint(math.MaxUint64 >> (64 - f.Type().Bits()))
	}
	return p.Interface()
}

// place returns where the bytes of b are that are not zero.
func place(b []byte) [2]int {
	place := [2]int{-1, 0}
	for at := range b {
		if b[at] != 0 {
			if place[0] < 0 {
				place[0] = at
			}
			place[1]++
		}
	}
	return place
}

// What is read is what has been written. Fields that a compact inode has in 16 or 32
// bits, or not at all, fit these.
func TestTake(t *testing.T) {
	b := make([]byte, extendedLen)
	compact := inode{layout: layoutInline, xattrCount: 2, mode: 3, links: 4, size: 5, data: 6, number: 7, uid: 8, gid: 9}
	compact.putCompact(b)
	var got inode
	got.takeCompact(b)
	require.Equal(t, compact, got)

	extended := inode{
		layout: layoutChunks, xattrCount: math.MaxUint16, mode: math.MaxUint16, links: math.MaxUint32, size: math.MaxUint64, data: math.MaxUint32,
		number: 1, uid: math.MaxUint32, gid: math.MaxUint32, modTime: math.MaxUint64, modNsec: math.MaxUint32,
	}
	extended.putExtended(b)
	got = inode{}
	got.takeExtended(b)
	require.Equal(t, extended, got)

	entry := dirent{nid: math.MaxUint64, nameAt: math.MaxUint16, fileType: math.MaxUint8}
	entry.put(b)
	var gotEntry dirent
	gotEntry.take(b)
	require.Equal(t, entry, gotEntry)

	attr := xattrEntry{nameLen: 1, index: 2, valueLen: 0x304}
	var gotAttr xattrEntry
	gotAttr.take(attr.append(nil))
	require.Equal(t, attr, gotAttr)
}

// The layout is above the bit that tells an extended inode (EROFS_I_DATALAYOUT_BIT).
func TestInodeFormat(t *testing.T) {
	for layout, want := range map[uint16][2]uint16{layoutPlain: {0, 1}, layoutInline: {4, 5}, layoutChunks: {8, 9}} {
		b := make([]byte, extendedLen)
		i := inode{layout: layout}
		i.putCompact(b)
		require.Equal(t, want[0], binary.LittleEndian.Uint16(b))
		i.putExtended(b)
		require.Equal(t, want[1], binary.LittleEndian.Uint16(b))
	}
}

// erofs_xattr_entry, with the prefixes of EROFS_XATTR_INDEX.
func TestXattrEntry(t *testing.T) {
	for _, tc := range []struct {
		name, value, want string
	}{
		{"user.a", "12", "\x01\x01\x02\x00a12\x00"},
		{"user.ab", "12", "\x02\x01\x02\x00ab12"},
		{"trusted.x", "", "\x01\x04\x00\x00x\x00\x00\x00"},
		{"security.capability", "v", "\x0a\x06\x01\x00capabilityv\x00"},
		{"system.posix_acl_access", "acl1", "\x00\x02\x04\x00acl1"},
		{"system.posix_acl_default", "acl1", "\x00\x03\x04\x00acl1"},
	} {
		a, err := newAttr(filetree.Xattr{Name: tc.name, Value: []byte(tc.value)})
		require.NoError(t, err)
		require.Equal(t, tc.want, string(a.append(nil)))
		require.Equal(t, len(tc.want), a.size())
	}
}

// new_encode_dev of include/linux/kdev_t.h.
func TestDeviceNumber(t *testing.T) {
	for d, want := range map[filetree.Device]uint32{
		{Major: 8, Minor: 1}: 0x801, {Major: 0, Minor: 0x100}: 0x100000, {Major: 4095, Minor: 1<<20 - 1}: 0xffffffff,
	} {
		require.Equal(t, want, deviceNumber(d))
	}
}

// The value for "123456789" that catalogues of checksums give for CRC-32C is
// inverted; the kernel's is not.
func TestChecksum(t *testing.T) {
	require.Equal(t, ^uint32(0xe3069283), crc32c([]byte("123456789")))
}
