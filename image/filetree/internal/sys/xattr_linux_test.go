package sys

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestListxattrAt compares with llistxattr(2).
func TestListxattrAt(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/f", nil, 0o600))
	require.NoError(t, os.Symlink("f", dir+"/s"))
	if err := unix.Setxattr(dir+"/f", "user.x", []byte("y"), 0); err != nil {
		t.Skip("the file system has no extended attributes: ", err)
	}
	d, err := os.Open(dir)
	require.NoError(t, err)
	defer d.Close()
	buf := make([]byte, 100)
	if _, err := ListxattrAt(int(d.Fd()), []byte("f\x00"), buf); err == unix.ENOSYS || err == unix.EPERM {
		t.Skip("needs Linux 6.13")
	}
	for _, name := range []string{"f", "s", "none"} {
		want := make([]byte, 100)
		n, wantErr := unix.Llistxattr(dir+"/"+name, want)
		got := make([]byte, 100)
		k, err := ListxattrAt(int(d.Fd()), append([]byte(name), 0), got)
		require.Equal(t, wantErr, err)
		require.Equal(t, want[:max(n, 0)], got[:k])
	}
	_, err = ListxattrAt(int(d.Fd()), []byte("f\x00"), buf[:2])
	require.Equal(t, unix.ERANGE, err)
}
