package guest

import (
	"bufio"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/integration/vm/initramfs"
)

// archiveFile writes the archive to a file in memory and returns its size.
func archiveFile(a *initramfs.Archive) (*os.File, int64, error) {
	fd, err := unix.MemfdCreate("drivebay-initramfs", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, 0, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "initramfs")
	w := bufio.NewWriterSize(f, 1<<20)
	n, err := a.WriteTo(w)
	if err = errors.Join(err, w.Flush()); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, n, nil
}
