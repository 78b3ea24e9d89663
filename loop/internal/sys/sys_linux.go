package sys

import (
	"bytes"
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Supported tells whether this system has loop devices.
const Supported = true

// Flags of open(2) for [Open] and [OpenAt].
const (
	ReadOnly  = unix.O_RDONLY
	ReadWrite = unix.O_RDWR
)

// Errors that loop branches on.
const (
	EBUSY  = unix.EBUSY
	EINVAL = unix.EINVAL
	ENXIO  = unix.ENXIO
	ENOENT = unix.ENOENT
	ENODEV = unix.ENODEV
	ENOTTY = unix.ENOTTY
	EROFS  = unix.EROFS
	EACCES = unix.EACCES
	EAGAIN = unix.EAGAIN
)

// Open is open(2) with O_CLOEXEC, which Go's os.OpenFile would follow with two
// needless calls to make a block device pollable.
func Open(path string, flags int) (int, error) { return OpenAt(unix.AT_FDCWD, path, flags) }

// OpenAt is openat(2) with O_CLOEXEC.
func OpenAt(dir int, path string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, path, flags|unix.O_CLOEXEC, 0)
		if err == nil {
			return fd, nil
		}
		if err != unix.EINTR {
			return -1, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// Read is read(2).
func Read(fd int, b []byte) (int, error) {
	for {
		n, err := unix.Read(fd, b)
		if err == nil {
			return n, nil
		}
		if err != unix.EINTR {
			return 0, os.NewSyscallError("read", err)
		}
	}
}

// Close is close(2). On Linux the descriptor is gone whatever it returns.
func Close(fd int) { _ = unix.Close(fd) }

// LockShared is flock(LOCK_SH), without waiting: EAGAIN where another has it
// exclusively.
func LockShared(fd int) error { return flock(fd, unix.LOCK_SH|unix.LOCK_NB) }

// Unlock is flock(LOCK_UN).
func Unlock(fd int) error { return flock(fd, unix.LOCK_UN) }

func flock(fd, how int) error {
	return os.NewSyscallError("flock", retry(func() error { return unix.Flock(fd, how) }))
}

// Exists is access(2), of which a file that is not there costs no more than the call.
func Exists(path string) bool { return unix.Access(path, unix.F_OK) == nil }

// Fstat is fstat(2).
func Fstat(fd int) (Stat, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return Stat{}, os.NewSyscallError("fstat", err)
	}
	return newStat(&st), nil
}

// StatAt is fstatat(2) of an absolute path, or of one below dir. It follows
// symbolic links and mounts nothing automatically.
func StatAt(dir int, path string) (Stat, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(dir, path, &st, unix.AT_NO_AUTOMOUNT) })
	if err != nil {
		return Stat{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return newStat(&st), nil
}

// StatCached tells of a file what the kernel knows of it: a file system that asks
// a server for such things, which may be dead, is not made to. Type, Dev and Rdev
// alone are set.
func StatCached(path string) (Stat, error) {
	var st unix.Statx_t
	const flags = unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT
	err := retry(func() error { return unix.Statx(unix.AT_FDCWD, path, flags, unix.STATX_TYPE, &st) })
	if err != nil {
		return Stat{}, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	return Stat{
		Type: fileType(uint32(st.Mode)),
		Dev:  unix.Mkdev(st.Dev_major, st.Dev_minor), Rdev: unix.Mkdev(st.Rdev_major, st.Rdev_minor),
	}, nil
}

// StatPath is [StatAt] of an absolute path.
func StatPath(path string) (Stat, error) { return StatAt(unix.AT_FDCWD, path) }

func newStat(st *unix.Stat_t) Stat {
	// NB: the types of these fields differ between architectures.
	return Stat{
		Type: fileType(uint32(st.Mode)),
		Dev:  uint64(st.Dev), Ino: uint64(st.Ino), Rdev: uint64(st.Rdev), Size: int64(st.Size),
	}
}

func fileType(mode uint32) FileType {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return RegularFile
	case unix.S_IFBLK:
		return BlockDevice
	case unix.S_IFCHR:
		return CharDevice
	case unix.S_IFDIR:
		return Directory
	}
	return OtherFile
}

// FileAccess reads the open flags, and the seals where there are any.
func FileAccess(fd int) (Access, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return Access{}, os.NewSyscallError("fcntl(F_GETFL)", err)
	}
	if flags&unix.O_PATH != 0 {
		return Access{}, nil
	}
	mode := flags & unix.O_ACCMODE
	a := Access{
		Read:   mode == unix.O_RDONLY || mode == unix.O_RDWR,
		Write:  mode == unix.O_WRONLY || mode == unix.O_RDWR,
		Append: flags&unix.O_APPEND != 0,
	}
	if a.Write {
		// EINVAL: not a memfd, no seals.
		if seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err == nil {
			a.Sealed = seals&(unix.F_SEAL_WRITE|unix.F_SEAL_FUTURE_WRITE) != 0
		}
	}
	return a, nil
}

// FreeNumber is LOOP_CTL_GET_FREE: the number of a device that was unbound a
// moment ago, made if there was none.
func FreeNumber(ctl int) (int, error) {
	for {
		n, err := unix.IoctlRetInt(ctl, unix.LOOP_CTL_GET_FREE)
		if err == nil {
			return n, nil
		}
		if err != unix.EINTR {
			return 0, os.NewSyscallError("ioctl(LOOP_CTL_GET_FREE)", err)
		}
	}
}

// AddDevice is LOOP_CTL_ADD of whatever number is not in use, which it returns.
func AddDevice(ctl int) (int, error) {
	for {
		// NB: the argument is a long, and negative means any number.
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(ctl), unix.LOOP_CTL_ADD, ^uintptr(0))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
			continue
		}
		return 0, os.NewSyscallError("ioctl(LOOP_CTL_ADD)", errno)
	}
}

// Configure is LOOP_CONFIGURE, Linux 5.8.
func Configure(fd int, c *Config) error {
	raw := unix.LoopConfig{
		Fd:   uint32(c.BackingFD),
		Size: c.BlockSize,
		Info: unix.LoopInfo64{Offset: c.Offset, Sizelimit: c.SizeLimit, Flags: c.Flags},
	}
	copy(raw.Info.File_name[:NameSize-1], c.Name)
	return ioctl("LOOP_CONFIGURE", fd, unix.LOOP_CONFIGURE, unsafe.Pointer(&raw))
}

// GetStatus is LOOP_GET_STATUS64. An unbound device gives ENXIO.
func GetStatus(fd int) (Status, error) {
	var raw unix.LoopInfo64
	if err := ioctl("LOOP_GET_STATUS64", fd, unix.LOOP_GET_STATUS64, unsafe.Pointer(&raw)); err != nil {
		return Status{}, err
	}
	name := raw.File_name[:]
	if i := bytes.IndexByte(name, 0); i >= 0 {
		name = name[:i]
	}
	return Status{
		Dev: raw.Device, Ino: raw.Inode, Rdev: raw.Rdevice,
		Offset: raw.Offset, SizeLimit: raw.Sizelimit,
		Number: raw.Number, Flags: raw.Flags, Name: string(name),
	}, nil
}

// Clear is LOOP_CLR_FD.
func Clear(fd int) error { return ioctl("LOOP_CLR_FD", fd, unix.LOOP_CLR_FD, nil) }

// loopChangeFD is LOOP_CHANGE_FD, which package unix lacks.
const loopChangeFD = 0x4c06

// ChangeBacking is LOOP_CHANGE_FD.
func ChangeBacking(fd, backing int) error {
	return ioctlInt("LOOP_CHANGE_FD", fd, loopChangeFD, backing)
}

// RereadTable is BLKRRPART: EBUSY while a partition is open.
func RereadTable(fd int) error { return ioctlInt("BLKRRPART", fd, unix.BLKRRPART, 0) }

// SetCapacity is LOOP_SET_CAPACITY.
func SetCapacity(fd int) error { return ioctlInt("LOOP_SET_CAPACITY", fd, unix.LOOP_SET_CAPACITY, 0) }

// SetDirectIO is LOOP_SET_DIRECT_IO.
func SetDirectIO(fd int, on bool) error {
	var arg int
	if on {
		arg = 1
	}
	return ioctlInt("LOOP_SET_DIRECT_IO", fd, unix.LOOP_SET_DIRECT_IO, arg)
}

// SetBlockSize is LOOP_SET_BLOCK_SIZE.
func SetBlockSize(fd, size int) error {
	return ioctlInt("LOOP_SET_BLOCK_SIZE", fd, unix.LOOP_SET_BLOCK_SIZE, size)
}

// SizeBytes is BLKGETSIZE64.
func SizeBytes(fd int) (int64, error) {
	var n uint64
	// NB: the number says size_t, the kernel writes a u64 everywhere.
	err := ioctl("BLKGETSIZE64", fd, unix.BLKGETSIZE64, unsafe.Pointer(&n))
	return int64(n), err
}

// LogicalBlockSize is BLKSSZGET.
func LogicalBlockSize(fd int) (int, error) {
	var n int32
	err := ioctl("BLKSSZGET", fd, unix.BLKSSZGET, unsafe.Pointer(&n))
	return int(n), err
}

// DiskSeq is BLKGETDISKSEQ, Linux 5.15. Older kernels give ENOTTY.
func DiskSeq(fd int) (uint64, error) {
	var n uint64
	err := ioctl("BLKGETDISKSEQ", fd, unix.BLKGETDISKSEQ, unsafe.Pointer(&n))
	return n, err
}

// AddPartition is BLKPG_ADD_PARTITION; start and length are bytes.
func AddPartition(fd, number int, start, length int64) error {
	return blkpg("BLKPG_ADD_PARTITION", fd, unix.BLKPG_ADD_PARTITION, number, start, length)
}

// DeletePartition is BLKPG_DEL_PARTITION.
func DeletePartition(fd, number int) error {
	return blkpg("BLKPG_DEL_PARTITION", fd, unix.BLKPG_DEL_PARTITION, number, 0, 0)
}

// ResizePartition is BLKPG_RESIZE_PARTITION; start must be the present one.
func ResizePartition(fd, number int, start, length int64) error {
	return blkpg("BLKPG_RESIZE_PARTITION", fd, unix.BLKPG_RESIZE_PARTITION, number, start, length)
}

func blkpg(name string, fd int, op int32, number int, start, length int64) error {
	p := unix.BlkpgPartition{Start: start, Length: length, Pno: int32(number)}
	arg := unix.BlkpgIoctlArg{Op: op, Datalen: int32(unsafe.Sizeof(p)), Data: (*byte)(unsafe.Pointer(&p))}
	return ioctl(name, fd, unix.BLKPG, unsafe.Pointer(&arg))
}

// DetachedMount makes a new mount of a file system without source or options
// and attaches it nowhere: it ends with the descriptor.
func DetachedMount(fstype string) (int, error) {
	fs, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("fsopen("+fstype+")", err)
	}
	defer Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, os.NewSyscallError("fsconfig("+fstype+")", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("fsmount("+fstype+")", err)
	}
	return fd, nil
}

// MakeNode makes the device node name below dir, in place of any other file
// there.
func MakeNode(dir int, name string, typ FileType, rdev uint64) error {
	mode := uint32(unix.S_IFBLK | 0o600)
	if typ == CharDevice {
		mode = unix.S_IFCHR | 0o600
	}
	// NB: mknod takes 32 bits of device number; Linux has no more.
	err := unix.Mknodat(dir, name, mode, int(int32(rdev)))
	if errors.Is(err, unix.EEXIST) {
		if err := unix.Unlinkat(dir, name, 0); err != nil {
			return &os.PathError{Op: "unlink", Path: name, Err: err}
		}
		err = unix.Mknodat(dir, name, mode, int(int32(rdev)))
	}
	if err != nil {
		return &os.PathError{Op: "mknod", Path: name, Err: err}
	}
	return nil
}

// SplitDev takes a device number, as in [Stat], apart.
func SplitDev(dev uint64) (major, minor uint32) { return unix.Major(dev), unix.Minor(dev) }

// JoinDev is the opposite of [SplitDev].
func JoinDev(major, minor uint32) uint64 { return unix.Mkdev(major, minor) }

func ioctl(name string, fd int, req uint, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(req), uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return os.NewSyscallError("ioctl("+name+")", errno)
	}
}

// ioctlInt is for requests whose argument is a number.
func ioctlInt(name string, fd int, req uint, arg int) error {
	err := retry(func() error { return unix.IoctlSetInt(fd, req, arg) })
	return os.NewSyscallError("ioctl("+name+")", err)
}

func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
