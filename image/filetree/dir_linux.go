package filetree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
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

// linkedInode returns the identity of a file that has several names.
func linkedInode(info os.FileInfo) (inode, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.IsDir() || st.Nlink < 2 {
		return inode{}, false
	}
	return inode{uint64(st.Dev), st.Ino}, true
}

// readExtra reads what a stat structure does not tell: extended attributes, and
// where a sparse file has its data.
func readExtra(at place, name string, info os.FileInfo, e *Entry) (err error) {
	// There is no listxattrat before Linux 6.13. Through the magic link, the
	// name is looked up in this very directory and is not followed.
	path := "/proc/self/fd/" + strconv.Itoa(int(at.dir.Fd())) + "/" + name
	if e.Xattrs, err = readXattrs(path); err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || st.Blocks*512 >= st.Size {
		return nil
	}
	e.Data, err = dataRanges(at.root, name, st.Size)
	return err
}

// readXattrs reads all extended attributes of a file, not following links.
func readXattrs(path string) ([]Xattr, error) {
	list, err := growing(func(b []byte) (int, error) { return unix.Llistxattr(path, b) })
	if errors.Is(err, unix.ENOTSUP) || len(list) == 0 && err == nil {
		return nil, nil
	} else if err != nil {
		return nil, os.NewSyscallError("llistxattr", err)
	}
	var xattrs []Xattr
	for name := range bytes.SplitSeq(bytes.TrimSuffix(list, []byte{0}), []byte{0}) {
		value, err := growing(func(b []byte) (int, error) { return unix.Lgetxattr(path, string(name), b) })
		if errors.Is(err, unix.ENODATA) {
			continue // removed since it was listed, or not for this user to see
		} else if err != nil {
			return nil, fmt.Errorf("extended attribute %s: %w", name, os.NewSyscallError("lgetxattr", err))
		}
		xattrs = append(xattrs, Xattr{Name: string(name), Value: value})
	}
	return xattrs, nil
}

// growing calls a system call that fills a buffer until the buffer suffices.
func growing(call func([]byte) (int, error)) ([]byte, error) {
	var small [256]byte
	b := small[:]
	for {
		n, err := call(b)
		if !errors.Is(err, unix.ERANGE) {
			return bytes.Clone(b[:max(n, 0)]), err
		}
		b = make([]byte, 4*len(b)) // ends at 64 KiB, the kernel's XATTR_SIZE_MAX
	}
}

// dataRanges returns where a file has its data.
func dataRanges(dir *os.Root, name string, size int64) ([]Range, error) {
	f, err := dir.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ranges := []Range{}
	for pos := int64(0); pos < size; {
		start, err := f.Seek(pos, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // nothing but a hole up to the end
		} else if err != nil {
			return nil, err
		}
		end, err := f.Seek(start, unix.SEEK_HOLE)
		if err != nil {
			return nil, err
		}
		if start >= size {
			break
		}
		end = min(end, size)
		ranges = append(ranges, Range{Offset: start, Length: end - start})
		pos = end
	}
	return ranges, nil
}

// dirSource opens the files of a directory.
type dirSource struct {
	root *os.Root
	dir  *os.File // root itself, for openat2
}

func newDirSource(root *os.Root) (*dirSource, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	return &dirSource{root: root, dir: dir}, nil
}

// Close closes the directory.
func (s *dirSource) Close() error { return errors.Join(s.root.Close(), s.dir.Close()) }

func (s *dirSource) open(n Node) (Content, error) {
	path := n.Path()
	fd, err := s.openBeneath(path)
	if err != nil {
		return nil, &PathError{Op: "open", Path: path, Err: err}
	}
	c := &dirContent{fd: fd, size: n.Size(), mtime: n.ModTime()}
	if err := c.unchanged(); err != nil {
		_ = c.Close()
		return nil, &PathError{Op: "open", Path: path, Err: err}
	}
	return c, nil
}

// openBeneath opens a file below the directory, by one system call where the
// kernel has openat2 (5.6), else step by step. A FIFO that has taken the file's
// place does not block.
func (s *dirSource) openBeneath(path string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK
	how := unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	for range 10 {
		fd, err := unix.Openat2(int(s.dir.Fd()), path, &how)
		switch {
		case err == nil:
			return fd, nil
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM): // seccomp filters say EPERM
			return s.openStepwise(path, flags)
		case !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN): // EAGAIN: a rename meanwhile
			return -1, err
		}
	}
	return -1, unix.EAGAIN
}

func (s *dirSource) openStepwise(path string, flags int) (int, error) {
	f, err := s.root.OpenFile(path, flags, 0)
	if err != nil {
		return -1, err
	}
	defer f.Close()
	return unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}

// dirContent is an open file that knows what it was when the tree was made. It
// is a bare descriptor: an image opens thousands, one after the other, and none
// of them has a use for the runtime's poller.
type dirContent struct {
	fd    int
	size  int64
	mtime time.Time
}

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

func (c *dirContent) Seek(offset int64, whence int) (int64, error) {
	pos, err := unix.Seek(c.fd, offset, whence)
	return pos, os.NewSyscallError("lseek", err)
}

func (c *dirContent) Close() error { return os.NewSyscallError("close", unix.Close(c.fd)) }

func (c *dirContent) unchanged() error {
	var st unix.Stat_t
	if err := unix.Fstat(c.fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	mtime := time.Unix(st.Mtim.Unix())
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("%w: it is no longer a regular file", ErrChanged)
	case st.Size != c.size:
		return fmt.Errorf("%w: its size was %d bytes and is %d", ErrChanged, c.size, st.Size)
	case !mtime.Equal(c.mtime):
		return fmt.Errorf("%w: it was written to at %s", ErrChanged, mtime.UTC())
	}
	return nil
}
