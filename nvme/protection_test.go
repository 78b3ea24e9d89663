package nvme

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// Check values of the CRCs. T10 DIF's is of the catalogue of parametrised CRC
// algorithms; the others are those of NVM Command Set 1.0, 5.2.1.3.
func TestGuards(t *testing.T) {
	require.Equal(t, uint16(0xd0db), crc16(0, []byte("123456789")))
	block := make([]byte, 4096)
	ones := bytes.Repeat([]byte{0xff}, 4096)
	for _, tt := range []struct {
		guard Guard
		data  []byte
		want  string
	}{
		{Guard16, []byte("123456789"), "d0db"},
		{Guard32, block, "98f94189"},
		{Guard32, ones, "25c1fe13"},
		{Guard64, block, "6482d367eb22b64e"},
		{Guard64, ones, "c0ddba7302eca3ac"},
	} {
		p := protection{kind: 1, guard: tt.guard}
		meta := make([]byte, p.size())
		p.fill(tt.data, meta, Protection{})
		require.Equal(t, tt.want, hex.EncodeToString(meta)[:len(tt.want)], "%v", tt.guard)
	}
}

// protectedNamespace is one with two blocks of 512 bytes at hand.
func protectedNamespace(p protection, metadata uint16, extended bool) *Namespace {
	return &Namespace{c: NewController(newFakeDrive()), id: 1, blocks: 100, protection: p, extended: extended,
		format: LBAFormat{DataSize: 9, MetadataSize: metadata}}
}

func TestProtect(t *testing.T) {
	values := Protection{ApplicationTag: 0x1122, ReferenceTag: 0x33445566}
	for _, tt := range []struct {
		name     string
		p        protection
		values   Protection
		metadata uint16
		want     [2]string // of the protection information, but for the guard
	}{
		{"type 1 counts up", protection{kind: 1}, values, 8, [2]string{"112233445566", "112233445567"}},
		{"type 3 does not", protection{kind: 3}, values, 8, [2]string{"112233445566", "112233445566"}},
		{"the tag wraps around", protection{kind: 2}, Protection{ReferenceTag: 1<<32 - 1}, 8, [2]string{"0000ffffffff", "000000000000"}},
		{"storage tag", protection{kind: 1, storageTag: 8}, Protection{StorageTag: 0xab, ReferenceTag: 1<<24 - 1}, 8, [2]string{"0000abffffff", "0000ab000000"}},
		{"32 bits", protection{kind: 1, guard: Guard32, storageTag: 32}, Protection{ApplicationTag: 1, StorageTag: 0xaabbccdd, ReferenceTag: 0x112233445566}, 16,
			[2]string{"0001aabbccdd112233445566", "0001aabbccdd112233445567"}},
		{"64 bits", protection{kind: 1, guard: Guard64, storageTag: 16}, Protection{ApplicationTag: 1, StorageTag: 0xaabb, ReferenceTag: 0xffffffff}, 16,
			[2]string{"0001aabbffffffff", "0001aabb00000000"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			size := tt.p.size()
			data, metadata := make([]byte, 1024), make([]byte, 2*int(tt.metadata))
			require.NoError(t, protectedNamespace(tt.p, tt.metadata, false).Protect(data, metadata, tt.values))
			for i, want := range tt.want {
				tuple := metadata[i*int(tt.metadata):][:size]
				require.Equal(t, want, hex.EncodeToString(tuple[size-len(want)/2:]))
			}

			both := make([]byte, 1024+len(metadata))
			require.NoError(t, protectedNamespace(tt.p, tt.metadata, true).Protect(both, nil, tt.values))
			require.Equal(t, metadata[:size], both[512:][:size], "at the end of the block")
		})
	}
}

// Metadata before the protection information is under its guard, metadata after
// it is not.
func TestGuardOverMetadata(t *testing.T) {
	guard := func(first bool, at int) []byte {
		metadata := make([]byte, 16)
		metadata[at] = 1
		n := protectedNamespace(protection{kind: 1, first: first}, 16, false)
		require.NoError(t, n.Protect(make([]byte, 512), metadata, Protection{}))
		if first {
			return metadata[:2]
		}
		return metadata[8:10]
	}
	require.NotEqual(t, []byte{0, 0}, guard(false, 0))
	require.Equal(t, []byte{0, 0}, guard(true, 15))
}

func TestProtectRefuses(t *testing.T) {
	one := protection{kind: 1}
	for _, tt := range []struct {
		name           string
		p              protection
		data, metadata int
		values         Protection
		want           string
	}{
		{"no protection", protection{}, 512, 8, Protection{}, "nvme: protect: protection of the namespace is 0, want a type from 1 to 3: see FormatOptions"},
		{"half a block", one, 511, 8, Protection{}, "nvme: protect: length of data is 511, want whole blocks: a multiple of 512"},
		{"no metadata", one, 512, 0, Protection{}, "nvme: protect: length of Metadata is 0, want 8 bytes for 1 blocks"},
		{"long reference tag", one, 512, 8, Protection{ReferenceTag: 1 << 32}, "nvme: protect: ReferenceTag is 4294967296, want at most 32 bits with a 16b guard and 0 bits of storage tag"},
		{"long storage tag", one, 512, 8, Protection{StorageTag: 1}, "nvme: protect: StorageTag is 1, want at most 0 bits (STS)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := protectedNamespace(tt.p, 8, false).Protect(make([]byte, tt.data), make([]byte, tt.metadata), tt.values)
			require.EqualError(t, err, tt.want)
		})
	}
}

// With PRACT, blocks that hold nothing but protection information beside their
// data come without it, even where the namespace has extended LBAs.
func TestActionLeavesProtectionOut(t *testing.T) {
	for _, tt := range []struct {
		metadata uint16
		p        protection
		size     int // bytes of data for one block
	}{
		{8, protection{kind: 1}, 512},
		{16, protection{kind: 1}, 528},
		{16, protection{kind: 1, guard: Guard64}, 512},
		{8, protection{}, 520},
	} {
		n := protectedNamespace(tt.p, tt.metadata, true)
		for _, size := range []int{512, 520, 528} {
			err := n.Read(t.Context(), 0, make([]byte, size), IOOptions{Protect: ProtectionAction})
			require.Equal(t, size == tt.size, err == nil, "%d bytes: %v", size, err)
		}
	}
}
