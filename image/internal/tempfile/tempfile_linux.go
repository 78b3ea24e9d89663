package tempfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// create makes a file that never has a name, where the file system of the
// directory can (open(2), O_TMPFILE).
func create(dir, prefix string) (*File, error) {
	for {
		fd, err := unix.Open(dir, unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
		switch err {
		case nil:
			return &File{File: os.NewFile(uintptr(fd), dir+"/(unnamed)")}, nil
		case unix.EINTR:
		default:
			return createNamed(dir, prefix)
		}
	}
}
