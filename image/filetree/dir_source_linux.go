package filetree

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sysEntry takes from a stat structure what an fs.FileInfo has no method for.
func sysEntry(sys any, e *Entry) {
	st, ok := sys.(*syscall.Stat_t)
	if !ok {
		return
	}
	e.UID, e.GID = st.Uid, st.Gid
	if e.Mode&os.ModeDevice != 0 {
		rdev := uint64(st.Rdev) //nolint:unconvert // 32 bits on some systems
		e.Device = Device{Major: unix.Major(rdev), Minor: unix.Minor(rdev)}
	}
}

// dirSource opens the files of a directory.
type dirSource struct {
	dir *os.File
	// noOpenat2 is that the kernel has no openat2 (before 5.6), or that a filter
	// of system calls refuses it.
	noOpenat2 atomic.Bool
}

func newDirSource(name string) (*dirSource, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err := retry(func() (int, error) { return unix.Open(name, flags, 0) })
	if err != nil {
		return nil, &PathError{Op: "open", Path: name, Err: err}
	}
	return &dirSource{dir: os.NewFile(uintptr(fd), name)}, nil
}

// Close closes the directory.
func (s *dirSource) Close() error {
	if err := s.dir.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func (s *dirSource) open(n Node) (Content, error) {
	path := n.Path()
	fd, err := s.openBeneath(path, unix.O_NONBLOCK)
	if err != nil {
		return nil, &PathError{Op: "open", Path: dirError(s.dir.Name(), n, ""), Err: gone(err)}
	}
	c := &dirContent{dir: s.dir.Name(), path: path, fd: fd, size: n.Size(), mtime: n.ModTime()}
	if err := c.unchanged(); err != nil {
		_ = c.Close()
		return nil, &PathError{Op: "open", Path: c.Name(), Err: err}
	}
	return c, nil
}

// openBeneath opens a file below the directory. No symbolic link is followed.
// O_NONBLOCK among the flags keeps a FIFO that has taken the file's place from
// blocking.
func (s *dirSource) openBeneath(path string, flags int) (int, error) {
	defer runtime.KeepAlive(s.dir)
	fd := int(s.dir.Fd())
	flags |= unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	// A path may be longer than the kernel takes at once.
	for base := fd; ; {
		step, rest := cutPath(path, unix.PathMax-1)
		how := flags
		if rest != "" {
			how = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
		}
		next, err := s.openStep(base, step, how)
		if base != fd {
			_ = unix.Close(base)
		}
		if err != nil || rest == "" {
			return next, err
		}
		base, path = next, rest
	}
}

// cutPath cuts a path behind a name so that the first part has at most max bytes.
func cutPath(path string, max int) (first, rest string) {
	if len(path) <= max {
		return path, ""
	}
	cut := strings.LastIndexByte(path[:max+1], '/')
	return path[:cut], path[cut+1:]
}

func (s *dirSource) openStep(dir int, path string, flags int) (int, error) {
	if !s.noOpenat2.Load() {
		how := unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
		fd, err := retry(func() (int, error) { return unix.Openat2(dir, path, &how) })
		if err != unix.ENOSYS && err != unix.EPERM {
			return fd, err
		}
		s.noOpenat2.Store(true)
	}
	for base := dir; ; {
		name, rest, more := strings.Cut(path, "/")
		how := flags
		if more {
			how = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
		}
		fd, err := retry(func() (int, error) { return unix.Openat(base, name, how, 0) })
		if base != dir {
			_ = unix.Close(base)
		}
		if err != nil || !more {
			return fd, err
		}
		base, path = fd, rest
	}
}

// retry calls a system call again when a signal or a rename elsewhere has come
// between (openat2 says EAGAIN).
func retry(call func() (int, error)) (fd int, err error) {
	for range 100 {
		fd, err = call()
		if err != unix.EINTR && err != unix.EAGAIN {
			break
		}
	}
	return fd, err
}

// gone adds to an error that says that a file is not where it has been.
func gone(err error) error {
	switch err {
	case unix.ENOENT:
		return fmt.Errorf("%w: %w", ErrChanged, err)
	case unix.ENOTDIR, unix.ELOOP:
		return fmt.Errorf("%w: something else has taken its place: %w", ErrChanged, err)
	}
	return err
}

// dirContent is an open file that knows what it was when the tree was made. It
// is a bare descriptor: an image opens thousands, one after the other, and none
// of them has a use for the runtime's poller.
type dirContent struct {
	dir, path string // the directory's name, and the path below it
	fd        int
	size      int64
	mtime     time.Time
}

// Name returns the name of the file as the caller of FromDir would call it.
func (c *dirContent) Name() string { return strings.TrimSuffix(c.dir, "/") + "/" + c.path }

// Read reads on where the last has ended.
func (c *dirContent) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(c.fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Seek sets where the next Read begins.
func (c *dirContent) Seek(offset int64, whence int) (int64, error) {
	pos, err := unix.Seek(c.fd, offset, whence)
	return pos, os.NewSyscallError("lseek", err)
}

// Close may be called again.
func (c *dirContent) Close() error {
	if c.fd < 0 {
		return nil
	}
	err := unix.Close(c.fd)
	c.fd = -1
	return os.NewSyscallError("close", err)
}

func (c *dirContent) unchanged() error {
	var st unix.Statx_t
	if err := stat(c.fd, "", &st); err != nil {
		return err
	}
	mtime, size := timeOf(&st), int64(st.Size)
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("%w: it is no longer a regular file", ErrChanged)
	case size != c.size:
		return fmt.Errorf("%w: its size was %d bytes and is %d", ErrChanged, c.size, size)
	case !mtime.Equal(c.mtime):
		return fmt.Errorf("%w: it was written to at %s", ErrChanged, mtime.UTC())
	}
	return nil
}
