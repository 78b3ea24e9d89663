package main

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func setXattr(name, attr, value string) error {
	return os.NewSyscallError("setxattr", unix.Setxattr(name, attr, []byte(value), 0))
}

func makeDevice(name string, major, minor uint32) error {
	return os.NewSyscallError("mknod", unix.Mknod(name, unix.S_IFCHR|0o600, int(unix.Mkdev(major, minor))))
}

// peak returns the largest resident set, in bytes, of a process that has ended,
// and of those that it has waited for.
func peak(state *os.ProcessState) int64 {
	if u, ok := state.SysUsage().(*syscall.Rusage); ok {
		return int64(u.Maxrss) << 10
	}
	return 0
}

// nextData returns where the data begins and ends that is at pos or follows it,
// io.EOF where none does.
func nextData(f *os.File, pos, size int64) (start, end int64, err error) {
	start, err = f.Seek(pos, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return 0, 0, io.EOF
	} else if err != nil {
		return 0, 0, err
	}
	end, err = f.Seek(start, unix.SEEK_HOLE)
	return start, end, err
}

// isSparse reports whether a file takes less room than it has bytes.
func isSparse(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Blocks*512 < st.Size
}

// flush waits until nothing is left to be written to disks.
func flush() { unix.Sync() }
