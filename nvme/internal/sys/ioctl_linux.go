package sys

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Passthru submits a command by one of the 32-bit requests. status is the
// completion's without the phase tag, if errno is zero.
func Passthru(fd int, request uint32, cmd *PassthruCmd) (status int, errno unix.Errno) {
	r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(cmd)))
	return int(r), errno
}

// Passthru64 is Passthru for the 64-bit requests.
func Passthru64(fd int, request uint32, cmd *PassthruCmd64) (status int, errno unix.Errno) {
	r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(cmd)))
	return int(r), errno
}

// Simple does a request that has no argument.
func Simple(fd int, request uint32) (value int, errno unix.Errno) {
	r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), 0)
	return int(r), errno
}

// Value returns the command's 64-bit result, which the kernel wrote in the
// host's byte order.
func (c *PassthruCmd64) Value() uint64 { return binary.NativeEndian.Uint64(c.Result[:]) }
