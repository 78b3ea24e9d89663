package xattr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/internal/xattr"
)

func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		name  string
		index uint8
		rest  string
		ok    bool
	}{
		{"user.a", 1, "a", true},
		{"user.a.b", 1, "a.b", true},
		{"system.posix_acl_access", 2, "", true},
		{"system.posix_acl_default", 3, "", true},
		{"trusted.overlay.opaque", 4, "overlay.opaque", true},
		{"security.selinux", 6, "selinux", true},
		{"user.", 0, "", false},
		{"user", 0, "", false},
		{"", 0, "", false},
		{"system.posix_acl_access.more", 0, "", false},
		{"system.nfs4_acl", 0, "", false},
		{"btrfs.compression", 0, "", false},
		{"lustre.lov", 0, "", false},
	} {
		index, rest, ok := xattr.Split(tc.name)
		require.Equal(t, tc.index, index, tc.name)
		require.Equal(t, tc.rest, rest, tc.name)
		require.Equal(t, tc.ok, ok, tc.name)
		if ok {
			prefix, ok := xattr.Prefix(index)
			require.True(t, ok, tc.name)
			require.Equal(t, tc.name, prefix+rest)
			require.Equal(t, rest == "", xattr.IsACL(index), tc.name)
		}
	}
}

func TestPrefixOfNoNamespace(t *testing.T) {
	for _, index := range []uint8{0, 5, 7, 8, 255} {
		_, ok := xattr.Prefix(index)
		require.False(t, ok, index)
	}
}
