package mkfs

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// privately calls fn in a mount namespace of its own, in which no other process
// sees what is mounted, and in which there is no disk to be seen: mkfs.btrfs looks
// at all of them for the UUID that it is to give, and refuses one that an image of
// the same layout has which is attached. The namespace ends with the thread.
func privately(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != os.Getpid() {
			done <- enterPrivate(fn)
			return // and never unlocked: the thread ends with the goroutine
		}
		// The main thread never ends. It is kept from the next one meanwhile.
		defer runtime.UnlockOSThread()
		done <- privately(fn)
	}()
	return <-done
}

func enterPrivate(fn func() error) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	// All that is mounted here is mounted in these two. The root may be no mount, in a
	// chroot, and then nothing could be said of it.
	for _, dir := range []string{"/proc", "/sys"} {
		if err := unix.Mount("", dir, "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return &os.PathError{Op: "make private the mount", Path: dir, Err: err}
		}
	}
	// Where libblkid looks for disks (libblkid/src/devname.c, probe_all).
	if err := unix.Mount("/dev/null", "/proc/partitions", "", unix.MS_BIND, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	if err := unix.Mount("none", "/sys/block", "tmpfs", 0, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	return fn()
}
