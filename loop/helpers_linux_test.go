package loop_test

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// memfd returns a sparse file in memory with the test's name.
func memfd(tb testing.TB, size int64) *os.File {
	tb.Helper()
	fd, err := unix.MemfdCreate(tb.Name(), unix.MFD_CLOEXEC)
	if err != nil {
		tb.Fatal(err)
	}
	return sized(tb, os.NewFile(uintptr(fd), tb.Name()), size)
}

// diskFile returns a sparse file on a disk, without a name.
func diskFile(tb testing.TB, size int64) *os.File {
	tb.Helper()
	f, err := os.OpenFile("/var/tmp", os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	return sized(tb, f, size)
}

func sized(tb testing.TB, f *os.File, size int64) *os.File {
	tb.Helper()
	tb.Cleanup(func() { _ = f.Close() })
	if err := f.Truncate(size); err != nil {
		tb.Fatal(err)
	}
	return f
}
