package pending

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// createUnnamed creates a file without a name in the directory that name is in:
// one that the kernel removes, whatever ends this process (open(2), O_TMPFILE).
// Its errors call it name.
func createUnnamed(name string) (*os.File, error) {
	dir := filepath.Dir(name)
	for {
		fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC|unix.O_LARGEFILE, 0o666)
		switch {
		case err == nil:
			if unix.Access(selfPath(fd), unix.F_OK) != nil { // without /proc it could not be linked
				_ = unix.Close(fd)
				return nil, errors.ErrUnsupported
			}
			return os.NewFile(uintptr(fd), name), nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR): // of kernels that do not know the flag
			err = fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
		}
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
}

// selfPath returns the path by which a file without a name can be linked.
func selfPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// linkUnnamed gives an unnamed file a name and returns it: name itself, or where
// that is taken, another one beside it that is to be renamed. There is no call
// that replaces a name by an unnamed file.
func linkUnnamed(f *os.File, name string) (string, error) {
	self := selfPath(int(f.Fd()))
	at := name
	for try := range 100 {
		err := unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, at, unix.AT_SYMLINK_FOLLOW)
		if err == nil {
			return at, nil
		}
		if !errors.Is(err, unix.EEXIST) {
			return "", &fs.PathError{Op: "linkat", Path: at, Err: err}
		}
		at = filepath.Join(filepath.Dir(name), fmt.Sprintf(".%s.%d.%d.tmp", filepath.Base(name), os.Getpid(), try))
	}
	return "", &fs.PathError{Op: "linkat", Path: at, Err: unix.EEXIST}
}

// alike reports whether two files have been created without a name in the same
// directory, and nothing has been written to the second.
func alike(a, b *os.File) bool {
	dirs := make([]os.FileInfo, 2)
	for i, f := range []*os.File{a, b} {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_TMPFILE != unix.O_TMPFILE {
			return false
		}
		if dirs[i], err = os.Stat(filepath.Dir(f.Name())); err != nil {
			return false
		}
	}
	var st unix.Stat_t
	return os.SameFile(dirs[0], dirs[1]) && unix.Fstat(int(b.Fd()), &st) == nil && st.Blocks == 0
}

// duplicate returns another descriptor of a file, under a name of its own.
func duplicate(f *os.File, name string) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// umask returns the process's file mode creation mask without changing it.
func umask() os.FileMode {
	b, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(b), "\nUmask:")
	mask, err := strconv.ParseUint(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]), 8, 32)
	if err != nil {
		return 0o077 // as restrictive as CreateTemp
	}
	return os.FileMode(mask)
}

// syncDir makes the names in a directory durable.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
