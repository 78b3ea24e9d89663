package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// answerLimit is how long QEMU may take to its first answer, on a busy host.
const answerLimit = time.Minute

// Start starts a machine and returns once QEMU answers, long before the guest has
// booted. The machine ends with ctx at the latest.
func Start(ctx context.Context, m Machine) (*VM, error) {
	v := &VM{
		done: make(chan struct{}), kill: make(chan struct{}),
		plugged: map[string]Device{}, memory: map[string]*os.File{},
		console: ring{limit: consoleLimit}, stderr: ring{limit: 16 << 10},
	}
	if err := v.start(ctx, m); err != nil {
		return nil, fmt.Errorf("start machine: %w", err)
	}
	return v, nil
}

func (v *VM) start(ctx context.Context, m Machine) error {
	if err := m.check(); err != nil {
		return err
	}
	theirs, err := v.connect(2 + m.Serial)
	if err == nil {
		err = v.launch(ctx, m, theirs)
	}
	_ = closeFiles(theirs) // at once: only then does QEMU's end show on ours
	if err != nil {
		v.closeAll()
		_ = closeFiles(v.serial)
		return err
	}
	// One that is stuck in the host's KVM says nothing at all.
	ctx, cancel := context.WithTimeoutCause(ctx, answerLimit, fmt.Errorf("QEMU has not answered in %v", answerLimit))
	defer cancel()
	err = v.qmp.execute(ctx, "qmp_capabilities", nil, nil)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrGone):
		<-v.done // QEMU's own words are the better error
		err = cmp.Or(v.err, err)
	}
	v.Kill()
	return err
}

// connect makes pairs of sockets: QMP, console, serial ports. It returns QEMU's
// ends.
func (v *VM) connect(number int) (theirs []*os.File, err error) {
	var ours []*os.File
	for i := range number {
		// Not blocking, so that Go's poller has it and Close ends a Read.
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return theirs, errors.Join(os.NewSyscallError("socketpair", err), closeFiles(ours))
		}
		name := "qemu-" + strconv.Itoa(i)
		ours = append(ours, os.NewFile(uintptr(pair[0]), name))
		theirs = append(theirs, os.NewFile(uintptr(pair[1]), name))
	}
	v.qmp = newQMP(ours[0])
	v.files, v.serial = ours[:2], ours[2:]
	return theirs, nil
}

// launch starts QEMU with its ends of the sockets.
func (v *VM) launch(ctx context.Context, m Machine, sockets []*os.File) error {
	cmd, err := v.command(ctx, &m)
	if err != nil {
		return err
	}
	cmd.ExtraFiles = sockets
	return v.spawn(ctx, cmd)
}

// command makes the disks in memory and QEMU's command line.
func (v *VM) command(ctx context.Context, m *Machine) (*exec.Cmd, error) {
	for _, d := range m.Devices {
		if err := v.makeDisks(ctx, d); err != nil {
			return nil, err
		}
		v.plugged[d.id()] = d
	}
	if m.Variables != "" {
		f, err := copyFile("variables", m.Variables)
		if err != nil {
			return nil, err
		}
		v.memory["variables"] = f
		m.Variables = memoryPath(f)
	}
	args, err := m.Command()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	if cmd.Err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoQEMU, cmd.Err)
	}
	cmd.Stdout, cmd.Stderr = &v.stderr, &v.stderr
	// In a process group of its own: Ctrl-C is for the guest's program to handle.
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
	return cmd, nil
}

// spawn starts QEMU from a thread that lives until it has ended: the kernel sends
// the signal of a parent's death when the thread that forked dies.
func (v *VM) spawn(ctx context.Context, cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with us
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		killed := make(chan bool)
		stop := make(chan struct{})
		go func() {
			select {
			case <-v.kill:
				_ = cmd.Process.Kill()
				killed <- true
			case <-stop:
				killed <- false
			}
		}()
		var console sync.WaitGroup
		console.Go(func() { _, _ = io.Copy(&v.console, v.files[1]) })
		err = cmd.Wait()
		console.Wait() // QEMU's end is closed: all that it wrote has been read
		close(stop)
		v.err = v.finish(ctx, err, <-killed)
		close(v.done)
		v.closeAll()
	}()
	return <-started
}

// newMemory returns a file of a size that has no name.
func newMemory(name string, size int64) (*os.File, error) {
	fd, err := unix.MemfdCreate("drivebay-"+name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// memoryPath returns a path by which QEMU can open such a file.
func memoryPath(f *os.File) string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())
}
