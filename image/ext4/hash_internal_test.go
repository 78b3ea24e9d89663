package ext4

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The hashes are those of debugfs: dx_hash -h half_md4 -s SEED NAME.
func TestNameHash(t *testing.T) {
	for _, tc := range []struct {
		name             string
		unseeded, seeded uint32
	}{
		{"a", 0xd5fa7d7a, 0xb93b52c0},
		{"hello", 0x1746da32, 0x608c0934},
		{strings.Repeat("x", 31), 0x415798c2, 0xaf07f074},
		{strings.Repeat("x", 32), 0xae38ae70, 0x6dfed0f6},
		{strings.Repeat("ab", 40), 0x283c51bc, 0x93027a3c},
		{"\xff\xfe\xfd", 0xbef83f56, 0x761d7e1e},
		{"日本語", 0x3782d9ea, 0x6dc23bb2},
	} {
		require.Equal(t, tc.unseeded, nameHash([4]uint32{}, []byte(tc.name)), "%q", tc.name)
		// 8f1c2c3e-0000-4000-8000-000000000001
		seed := [4]uint32{0x3e2c1c8f, 0x00400000, 0x00000080, 0x01000000}
		require.Equal(t, tc.seeded, nameHash(seed, []byte(tc.name)), "%q", tc.name)
	}
}
