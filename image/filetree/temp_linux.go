package filetree

import (
	"os"

	"golang.org/x/sys/unix"
)

// newTempFile makes a file that never has a name, where the file system of the
// temporary directory can, so that nothing is left whatever happens.
func newTempFile() (*tempFile, error) {
	dir := os.TempDir()
	fd, err := retry(func() (int, error) { return unix.Open(dir, unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600) })
	if err != nil {
		return newNamedTempFile()
	}
	return &tempFile{File: os.NewFile(uintptr(fd), dir+"/(unnamed)")}, nil
}
