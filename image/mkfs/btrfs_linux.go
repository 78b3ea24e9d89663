package mkfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/image/filetree"
)

func makeBtrfs(j *job) error {
	if j.tree == nil {
		run := func() error { return j.run(0, append(j.btrfsArgs(), j.path())...) }
		err := privately(run)
		if errors.Is(err, unix.EPERM) {
			err = run() // whoever may not do that sees no disks either
		}
		return err
	}
	s, err := newStage()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.fill(j); err != nil {
		return err
	}
	return s.run(func(dir string) *exec.Cmd {
		return j.command(0, append(j.btrfsArgs(), "--rootdir", dir, j.path())...)
	})
}

// stage is a tmpfs that is mounted nowhere, in which a tree is built. The kernel
// drops it with its descriptor.
type stage struct {
	fd   int
	path string         // by which this process reaches it
	made map[int]string // the first path of each file that has several
}

func newStage() (*stage, error) {
	fail := func(call string, err error) (*stage, error) {
		if errors.Is(err, unix.EPERM) {
			return nil, fmt.Errorf("file system with files in it: %w: only root can build the directory that mkfs.btrfs copies", ErrPermission)
		}
		return nil, os.NewSyscallError(call, err)
	}
	ctx, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fail("fsopen", err)
	}
	defer unix.Close(ctx)
	// As many files as there may be; as much memory as a tmpfs takes by default,
	// half of it.
	if err := unix.FsconfigSetString(ctx, "nr_inodes", "0"); err != nil {
		return fail("fsconfig", err)
	}
	if err := unix.FsconfigCreate(ctx); err != nil {
		return fail("fsconfig", err)
	}
	fd, err := unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID)
	if err != nil {
		return fail("fsmount", err)
	}
	return &stage{fd: fd, path: "/proc/self/fd/" + strconv.Itoa(fd) + "/", made: map[int]string{}}, nil
}

func (s *stage) close() { _ = unix.Close(s.fd) }

// fill builds the tree.
func (s *stage) fill(j *job) error {
	var put func(n filetree.Node) error
	put = func(n filetree.Node) error {
		if err := j.ctx.Err(); err != nil {
			return err
		}
		path := s.path + n.Path()
		if err := s.put(path, n); err != nil {
			return fmt.Errorf("%s: %w", n.Path(), err)
		}
		if !n.IsDir() {
			return nil
		}
		if err := j.children(n, put); err != nil {
			return err
		}
		// Again: what was put into the directory has changed its time.
		return setTime(path, n.ModTime())
	}
	return put(j.tree.Root())
}

// put makes one file.
func (s *stage) put(path string, n filetree.Node) error {
	if n.Links() > 1 && !n.IsDir() {
		// In the order of the walk, any of the names may be the first.
		if first, ok := s.made[n.Inode().ID()]; ok {
			return os.Link(first, path)
		}
		s.made[n.Inode().ID()] = path
	}
	if err := makeNode(path, n); err != nil {
		return err
	}
	if err := os.Lchown(path, int(n.UID()), int(n.GID())); err != nil {
		return err
	}
	for _, x := range n.Xattrs() {
		if err := unix.Lsetxattr(path, x.Name, x.Value, 0); err != nil {
			return fmt.Errorf("extended attribute %s: %w", x.Name, os.NewSyscallError("lsetxattr", err))
		}
	}
	// A change of the owner takes setuid away, and an ACL is a mode, too.
	if n.Mode()&fs.ModeSymlink == 0 {
		if err := unix.Chmod(path, uint32(n.UnixMode()&0o7777)); err != nil {
			return os.NewSyscallError("chmod", err)
		}
	}
	return setTime(path, n.ModTime())
}

func makeNode(path string, n filetree.Node) error {
	switch n.Mode().Type() {
	case fs.ModeDir:
		if n.Parent() == n {
			return nil
		}
		return os.Mkdir(path, 0o700)
	case fs.ModeSymlink:
		return os.Symlink(n.Target(), path)
	case 0:
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(copyContent(f, n), f.Close())
	}
	return os.NewSyscallError("mknod", unix.Mknod(path, uint32(n.UnixMode()), 0))
}

func setTime(path string, t time.Time) error {
	ts, err := unix.TimeToTimespec(t)
	if err != nil {
		return fmt.Errorf("time %s: %w", t, err)
	}
	err = unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
	return os.NewSyscallError("utimensat", err)
}

// run runs a command that sees the tree at a path.
func (s *stage) run(command func(dir string) *exec.Cmd) error {
	return privately(func() error {
		// Of the directories that are always there (fs/proc/root.c, proc_root_init), in
		// mounts that are private, one that hides nothing that the command needs.
		const dir = "/proc/bus"
		if err := unix.MoveMount(s.fd, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return os.NewSyscallError("move_mount", err)
		}
		return runCommand(command(dir))
	})
}
