package repart

import (
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/image/filetree"
)

// fileEntry returns the entry of a single regular file, with all that the system
// knows of it.
func fileEntry(name string) (e filetree.Entry, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return e, err
	}
	e = filetree.Entry{
		Mode: info.Mode(), ModTime: info.ModTime(), Size: info.Size(),
		Open: func() (filetree.Content, error) { return os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0) },
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		e.UID, e.GID = st.Uid, st.Gid
	}
	list, err := readXattr(func(b []byte) (int, error) { return unix.Listxattr(name, b) })
	if err != nil {
		return e, &os.PathError{Op: "listxattr", Path: name, Err: err}
	}
	for key := range strings.SplitSeq(strings.Trim(string(list), "\x00"), "\x00") {
		if key == "" {
			continue
		}
		value, err := readXattr(func(b []byte) (int, error) { return unix.Getxattr(name, key, b) })
		if err != nil {
			return e, &os.PathError{Op: "getxattr " + key, Path: name, Err: err}
		}
		e.Xattrs = append(e.Xattrs, filetree.Xattr{Name: key, Value: value})
	}
	return e, nil
}

// readXattr calls what fills a buffer, with one that is as large as anything that
// Linux gives (XATTR_LIST_MAX, XATTR_SIZE_MAX). A file system without extended
// attributes has none.
func readXattr(read func([]byte) (int, error)) ([]byte, error) {
	b := make([]byte, 64<<10)
	n, err := read(b)
	if err == unix.ENOTSUP {
		return nil, nil
	}
	return b[:max(n, 0)], err
}
