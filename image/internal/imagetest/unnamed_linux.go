package imagetest

import (
	"testing"

	"golang.org/x/sys/unix"
)

// UnnamedDir makes a directory on a file system that has files without a name
// (O_TMPFILE), as ext4, XFS, Btrfs and tmpfs do. Elsewhere it skips the test.
func UnnamedDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		t.Skipf("file without a name in %s: %v", dir, err)
	}
	_ = unix.Close(fd)
	return dir
}
