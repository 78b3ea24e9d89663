package sys

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ListxattrAt lists the names of a file's extended attributes, each with a NUL at
// its end, into list, which may not be empty, and returns how many bytes they
// are: listxattrat(2), of Linux 6.13. The name, which has a NUL at its end, is
// that of a file in the directory dir, and is not followed if it is a symbolic
// link. Errors are those of the kernel, as unix.Errno.
func ListxattrAt(dir int, name, list []byte) (int, error) {
	n, _, errno := unix.Syscall6(unix.SYS_LISTXATTRAT, uintptr(dir), uintptr(unsafe.Pointer(&name[0])),
		unix.AT_SYMLINK_NOFOLLOW, uintptr(unsafe.Pointer(&list[0])), uintptr(len(list)), 0)
	runtime.KeepAlive(name)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
