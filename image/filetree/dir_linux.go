package filetree

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/image/filetree/internal/sys"
)

// openDirFDs is how many levels of directories are held open while a directory
// is read: enough for any sane tree, few enough for the usual limit of 1,024
// descriptors. Those further down are closed and opened again.
const openDirFDs = 128

// readDir reads the directory called name into t.
func readDir(t *Tree, name string) error {
	r, err := newDirReader(t, name)
	if err != nil {
		return err
	}
	return r.read()
}

// dirReader reads a directory of the system into a tree.
type dirReader struct {
	t      *Tree
	name   string // of the directory, for errors
	src    *dirSource
	source uint16
	links  map[inode]uint32 // the first name of each file that has several
	buf    []byte           // of 64 KiB, the longest list of extended attributes
	value  []byte           // of an extended attribute, made by the first
	cname  []byte           // a name with a NUL at its end
	names  []string         // of what is read of a directory at once
	// noListxattrat is that the kernel is older than 6.13.
	noListxattrat bool
	// noXattrs is the devices whose file system has no extended attributes.
	noXattrs map[uint64]bool
}

func newDirReader(t *Tree, name string) (*dirReader, error) {
	src, err := newDirSource(name)
	if err != nil {
		return nil, err
	}
	return &dirReader{
		t: t, name: name, src: src, source: t.addSource(src),
		links: map[inode]uint32{}, noXattrs: map[uint64]bool{},
		buf: make([]byte, 64<<10),
	}, nil
}

func (r *dirReader) read() error {
	fd, err := r.src.openBeneath(".", unix.O_DIRECTORY)
	if err != nil {
		return &PathError{Op: "open", Path: r.name, Err: err}
	}
	return r.readDir(fd, 0, 0)
}

// inode is the identity of a file.
type inode struct{ dev, ino uint64 }

func inodeOf(st *unix.Statx_t) inode { return inode{deviceOf(st), st.Ino} }

func deviceOf(st *unix.Statx_t) uint64 { return uint64(st.Dev_major)<<32 | uint64(st.Dev_minor) }

// readDir reads the open directory fd, which it closes, and all that is in it,
// into node i.
func (r *dirReader) readDir(fd int, i uint32, depth int) error {
	defer func() {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}()
	var st unix.Statx_t
	if err := stat(fd, "", &st); err != nil {
		return r.error(i, "", err)
	}
	id := inodeOf(&st)
	if err := r.readFile(fd, i, "", &st); err != nil {
		return r.error(i, "", err)
	}
	names, err := r.readNames(fd)
	if err != nil {
		return r.error(i, "", err)
	}
	for k := range names.len() {
		name := string(names.at(uint32(k)))
		if fd < 0 {
			if fd, err = r.reopen(i, id); err != nil {
				return r.error(i, "", err)
			}
		}
		sub, child, err := r.readName(fd, i, name)
		if err != nil {
			return r.error(i, name, err)
		}
		if sub < 0 {
			continue
		}
		if depth >= openDirFDs || k == names.len()-1 {
			_ = unix.Close(fd)
			fd = -1
		}
		if err := r.readDir(sub, child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// readNames returns the names in a directory. The order in which a directory is
// read differs between machines.
func (r *dirReader) readNames(fd int) (*nameList, error) {
	names := &nameList{}
	for {
		n, err := unix.ReadDirent(fd, r.buf)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, os.NewSyscallError("getdents64", err)
		case n == 0:
			names.sort()
			return names, nil
		}
		_, _, r.names = unix.ParseDirent(r.buf[:n], -1, r.names[:0])
		for _, name := range r.names {
			if err := checkName(name); err != nil { // the length above all
				return nil, err
			}
			names.add(name)
		}
	}
}

// reopen opens the directory of node i once more.
func (r *dirReader) reopen(i uint32, id inode) (int, error) {
	fd, err := r.src.openBeneath(Node{r.t, i}.Path(), unix.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	var st unix.Statx_t
	if err := stat(fd, "", &st); err != nil || inodeOf(&st) != id {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("%w: it is another directory", ErrChanged)
	}
	return fd, nil
}

// readName reads the file name in the directory fd, node i. A directory is only
// opened: sub is its descriptor then, else -1.
func (r *dirReader) readName(fd int, i uint32, name string) (sub int, child uint32, err error) {
	var st unix.Statx_t
	if err := stat(fd, name, &st); err != nil {
		return -1, 0, err
	}
	if child, err = r.t.append(i, name); err != nil {
		return -1, 0, err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
		sub, err := retry(func() (int, error) { return unix.Openat(fd, name, flags, 0) })
		return sub, child, os.NewSyscallError("openat", gone(err))
	}
	return -1, child, r.readFile(fd, child, name, &st)
}

// readFile reads the metadata of the file name in the directory fd, or of that
// directory where name is empty, into node i.
func (r *dirReader) readFile(fd int, i uint32, name string, st *unix.Statx_t) error {
	if st.Nlink > 1 && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		id := inodeOf(st)
		if first, ok := r.links[id]; ok {
			r.t.link(i, first)
			return nil
		}
		r.links[id] = i
	}
	e := Entry{Mode: FileMode(st.Mode)}
	statEntry(&e, st)
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		e.Size = int64(st.Size)
		if st.Blocks*512 < st.Size {
			e.Data, err = dataRanges(fd, name, e.Size)
		}
	case unix.S_IFLNK:
		e.Target, err = r.readLink(fd, name)
	}
	if err == nil {
		e.Xattrs, err = r.readXattrs(fd, name, st)
	}
	if err == nil {
		err = r.t.setFrom(r.source, i, &e)
	}
	return err
}

func (r *dirReader) readLink(fd int, name string) (string, error) {
	n, err := unix.Readlinkat(fd, name, r.buf[:MaxTarget+1])
	if err != nil {
		return "", os.NewSyscallError("readlinkat", gone(err))
	}
	return string(r.buf[:n]), nil
}

// readXattrs reads all extended attributes of a file, not following links.
func (r *dirReader) readXattrs(fd int, name string, st *unix.Statx_t) ([]Xattr, error) {
	dev := deviceOf(st)
	if r.noXattrs[dev] {
		return nil, nil
	}
	n, err := r.listXattrs(fd, name)
	switch {
	case errors.Is(err, unix.ENOTSUP):
		r.noXattrs[dev] = true
		return nil, nil
	case err != nil:
		return nil, os.NewSyscallError("listxattr", gone(err))
	case n == 0:
		return nil, nil
	}
	at := xattrPath(fd, name)
	var xattrs []Xattr
	if r.value == nil {
		r.value = make([]byte, MaxXattr)
	}
	for key := range bytes.SplitSeq(bytes.TrimSuffix(r.buf[:n], []byte{0}), []byte{0}) {
		n, err := unix.Lgetxattr(at, string(key), r.value)
		if errors.Is(err, unix.ENODATA) {
			continue // removed since it was listed, or not for this user to see
		} else if err != nil {
			return nil, fmt.Errorf("extended attribute %s: %w", key, os.NewSyscallError("lgetxattr", gone(err)))
		}
		xattrs = append(xattrs, Xattr{Name: string(key), Value: bytes.Clone(r.value[:n])})
	}
	return xattrs, nil
}

// listXattrs lists the names of extended attributes into r.buf.
func (r *dirReader) listXattrs(fd int, name string) (int, error) {
	if name == "" {
		return unix.Flistxattr(fd, r.buf)
	}
	if !r.noListxattrat {
		r.cname = append(append(r.cname[:0], name...), 0)
		n, err := sys.ListxattrAt(fd, r.cname, r.buf)
		if err != unix.ENOSYS && err != unix.EPERM { // filters of system calls say EPERM
			return n, err
		}
		r.noListxattrat = true
	}
	return unix.Llistxattr(xattrPath(fd, name), r.buf)
}

// xattrPath returns a path for the file name in the directory fd, or for fd
// itself. Through the magic link, the name is looked up in that very directory.
func xattrPath(fd int, name string) string {
	return "/proc/self/fd/" + strconv.Itoa(fd) + "/" + name
}

// dataRanges returns where a file has its data. nil is everywhere.
func dataRanges(dir int, name string, size int64) ([]Range, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := retry(func() (int, error) { return unix.Openat(dir, name, flags, 0) })
	if err != nil {
		return nil, os.NewSyscallError("openat", gone(err))
	}
	defer unix.Close(fd)
	list := []Range{}
	for pos := int64(0); pos < size; {
		start, err := unix.Seek(fd, pos, unix.SEEK_DATA)
		switch {
		case err == unix.ENXIO:
			return list, nil // nothing but a hole up to the end
		case err == unix.EINVAL:
			return nil, nil // the file system does not tell
		case err != nil:
			return nil, os.NewSyscallError("lseek", err)
		}
		end, err := unix.Seek(fd, start, unix.SEEK_HOLE)
		if err != nil {
			return nil, os.NewSyscallError("lseek", err)
		}
		if start >= size {
			break
		}
		end = min(end, size)
		list = append(list, Range{Offset: start, Length: end - start})
		pos = end
	}
	return list, nil
}

// statEntry takes from a stat structure what an Entry has.
func statEntry(e *Entry, st *unix.Statx_t) {
	e.UID, e.GID = st.Uid, st.Gid
	e.ModTime = timeOf(st)
	if e.Mode&os.ModeDevice != 0 {
		e.Device = Device{Major: st.Rdev_major, Minor: st.Rdev_minor}
	}
}

// stat describes the file name in the directory fd, or fd itself where name is
// empty. It is statx since all others end in 2038 on 32 bits.
func stat(fd int, name string, st *unix.Statx_t) error {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	_, err := retry(func() (int, error) { return 0, unix.Statx(fd, name, flags, unix.STATX_BASIC_STATS, st) })
	return os.NewSyscallError("statx", gone(err))
}

func timeOf(st *unix.Statx_t) time.Time { return time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec)) }

// error names the file name in the directory of node i.
func (r *dirReader) error(i uint32, name string, err error) error {
	return &PathError{Op: "read", Path: dirError(r.name, Node{r.t, i}, name), Err: err}
}
