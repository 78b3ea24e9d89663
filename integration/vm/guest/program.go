package guest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/drivebay/drivebay/integration/vm/kernel"
)

// Program is what runs in a guest.
type Program struct {
	// Path is the executable on the host: static, or with libraries that the host
	// has. It gets the same path in the guest, and Args without its name.
	Path string
	Args []string

	// Env is its whole environment, Dir its working directory.
	Env []string
	Dir string

	// Kernel runs the guest, whose architecture is the kernel's.
	Kernel *kernel.Kernel

	// Init is the path of an executable that calls [Main], for the guest's
	// architecture; "" is the running program.
	Init string

	// Modules are loaded before the program starts, with their parameters:
	// "loop max_part=15". On demand are those that the kernel or the program may
	// load with modprobe; what this kernel does not have of them is left out.
	Modules  []string
	OnDemand []string

	// Files are files and directories of the host that get the same path in the
	// guest; Tools are programs, looked for in PATH and the system's directories,
	// with their libraries.
	Files []string
	Tools []string

	// Collect are files and directories that come back to the host, to the same
	// paths, when the program has ended: files that exist then, and of directories
	// the files that were not there at the start. Their directories are made.
	Collect []string

	// Mounts are file systems on the machine's disks, mounted before the program
	// starts.
	Mounts []Mount

	// Udev runs the host's udevd with its rules for block devices.
	Udev bool

	// Limit is how long the program may take from its start; 0 sets none. One that
	// takes longer is ended with its guest: an [ErrStuck].
	Limit time.Duration
}

// Mount is a file system that init mounts.
type Mount struct {
	Serial string // of the disk: see vm.NVMe and vm.Virtio
	Target string // the directory, which is made
	Type   string // "ext4"
}

// Streams are a program's standard streams. A nil Stdin is empty, a nil Stdout or
// Stderr goes nowhere.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// Signals are passed on to the program. One that comes before the program runs
	// ends the guest, as if it had met the program; so does the third os.Interrupt
	// or SIGTERM after that, with an [ErrStuck].
	Signals <-chan os.Signal
}

// Status is how a program ended.
type Status struct {
	// Code is the exit status, 128 and the signal's number if a signal ended it.
	Code   int
	Signal int

	// Packed is the time that the initramfs took, Booted that from QEMU's start
	// to the program's.
	Packed, Booted time.Duration
}

var (
	// ErrBoot is wrapped by the error for a guest whose init has not begun in
	// time.
	ErrBoot = errors.New("the guest has not booted")

	// ErrDied is wrapped by the error for a guest that ended before its program
	// did.
	ErrDied = errors.New("the guest ended before its program")

	// ErrStuck is wrapped by the error for a guest whose program did not end when it
	// should have.
	ErrStuck = errors.New("the guest is stuck")

	// ErrMemory is wrapped by the error for a machine too small for its initramfs.
	ErrMemory = errors.New("too little memory")

	// ErrInit is wrapped by errors of the guest's init: a module that does not
	// load, a program that does not start.
	ErrInit = errors.New("guest's init")
)

// ProgramError is the error for a program that cannot run in a guest.
type ProgramError struct {
	Path   string
	Reason string
	Err    error // the cause; may be nil
}

func (e *ProgramError) Error() string {
	s := fmt.Sprintf("program %s: %s", e.Path, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *ProgramError) Unwrap() error { return e.Err }

// ConsoleError is an error with the last lines of the guest's console.
type ConsoleError struct {
	Err     error
	Console string // its last lines
}

func (e *ConsoleError) Error() string {
	if e.Console == "" {
		return e.Err.Error() + "; the guest's console is empty"
	}
	return e.Err.Error() + "; the guest's console ends with:\n" + e.Console
}

func (e *ConsoleError) Unwrap() error { return e.Err }
