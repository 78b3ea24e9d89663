package mkfs

import (
	"errors"
	"io"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// unnamed creates a temporary file without a name, which the kernel removes with
// its last descriptor.
func unnamed() (*os.File, error) {
	dir := os.TempDir()
	f, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err == nil || !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return f, err
	}
	if f, err = os.CreateTemp(dir, "mkfs"); err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// openLimit returns how many files this process may have open. Go raises the soft
// limit to the hard one (os/rlimit.go).
func openLimit() (int64, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	return int64(min(l.Cur, math.MaxInt64)), nil
}

// nextData returns where the data begins and ends that is at pos or follows it;
// size where none does.
func nextData(f *os.File, pos, size int64) (start, end int64, err error) {
	start, err = f.Seek(pos, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, size, nil
	} else if err != nil {
		return 0, 0, err
	}
	if end, err = f.Seek(start, unix.SEEK_HOLE); err != nil {
		return 0, 0, err
	}
	if start >= size {
		return size, size, nil
	}
	_, err = f.Seek(start, io.SeekStart)
	return start, min(end, size), err
}
