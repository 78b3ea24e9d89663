package loop

import (
	"errors"
	"fmt"
	"os"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

// nodes finds and opens device nodes. In /dev where the node there has the
// right number; else in mounts of its own, made when first needed and attached
// nowhere, so that they end with their descriptors: a devtmpfs, where the
// kernel makes and removes the nodes, or a tmpfs with nodes made here, where
// the process may not mount a devtmpfs.
//
// It serves containers whose /dev is a plain tmpfs. The zero value is ready;
// its methods are not safe for concurrent use.
type nodes struct {
	devtmpfs, tmpfs *os.File
	noDevtmpfs      error
}

// close ends the mounts. Files opened from them stay open.
func (n *nodes) close() {
	for _, f := range []*os.File{n.devtmpfs, n.tmpfs} {
		if f != nil {
			_ = f.Close()
		}
	}
	n.devtmpfs, n.tmpfs = nil, nil
}

// open opens the node of the device called name by the kernel.
func (n *nodes) open(name string, typ sys.FileType, num DeviceNumber, flags int) (fd int, path string, err error) {
	path, err = n.find(name, typ, num)
	if err != nil {
		return -1, "", err
	}
	fd, err = sys.Open(path, flags)
	if err != nil {
		return -1, "", err
	}
	// Between the two calls the node may have become another device's.
	if st, err := sys.Fstat(fd); err != nil || !isNode(st, typ, num) {
		sys.Close(fd)
		return -1, "", &os.PathError{Op: "open", Path: path, Err: errors.Join(sys.ENXIO, err)}
	}
	return fd, path, nil
}

// find returns a path of the node, usable by every process that may read this
// one's /proc/PID/fd.
func (n *nodes) find(name string, typ sys.FileType, num DeviceNumber) (string, error) {
	if path := "/dev/" + name; nodeAt(path, typ, num) {
		return path, nil
	}
	dir, err := n.private(name, typ, num)
	if err != nil {
		return "", fmt.Errorf("/dev/%s is not device %v, and no node can be made elsewhere: %w", name, num, err)
	}
	return privatePath(dir, name), nil
}

// private returns a mount of ours that has the node.
func (n *nodes) private(name string, typ sys.FileType, num DeviceNumber) (*os.File, error) {
	if n.devtmpfs == nil && n.noDevtmpfs == nil {
		n.devtmpfs, n.noDevtmpfs = detachedMount("devtmpfs")
	}
	// A privileged process can have unlinked the node in the devtmpfs, and this
	// package makes none there: every container on the machine would see it.
	if n.devtmpfs != nil && nodeAt(privatePath(n.devtmpfs, name), typ, num) {
		return n.devtmpfs, nil
	}
	if n.tmpfs == nil {
		var err error
		if n.tmpfs, err = detachedMount("tmpfs"); err != nil {
			return nil, errors.Join(n.noDevtmpfs, err)
		}
	}
	if nodeAt(privatePath(n.tmpfs, name), typ, num) {
		return n.tmpfs, nil
	}
	err := control(n.tmpfs, func(fd int) error {
		return sys.MakeNode(fd, name, typ, sys.JoinDev(num.Major, num.Minor))
	})
	return n.tmpfs, err
}

// privatePath returns the path of name in a detached mount. It names the
// process by number: children see the mount through it as well.
func privatePath(dir *os.File, name string) string {
	var fd int
	_ = control(dir, func(n int) error { fd = n; return nil })
	return fmt.Sprintf("/proc/%d/fd/%d/%s", os.Getpid(), fd, name)
}

// nodeAt reports whether path is a node of the device num.
func nodeAt(path string, typ sys.FileType, num DeviceNumber) bool {
	st, err := sys.StatPath(path)
	return err == nil && isNode(st, typ, num)
}

func isNode(st sys.Stat, typ sys.FileType, num DeviceNumber) bool {
	return st.Type == typ && deviceNumber(st.Rdev) == num
}

func detachedMount(fstype string) (*os.File, error) {
	fd, err := sys.DetachedMount(fstype)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "detached "+fstype), nil
}

func deviceNumber(dev uint64) DeviceNumber {
	major, minor := sys.SplitDev(dev)
	return DeviceNumber{major, minor}
}

// control calls fn with the descriptor of f, which stays open meanwhile. Unlike
// f.Fd it leaves f in the mode that its deadlines need.
func control(f *os.File, fn func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if conn.Control(func(fd uintptr) { err = fn(int(fd)) }) != nil {
		// Its own error is not exported, and has one cause.
		return &os.PathError{Op: "use", Path: f.Name(), Err: os.ErrClosed}
	}
	return err
}
