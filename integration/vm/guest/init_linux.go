package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/integration/vm/internal/wire"
)

// called is whether [Main] was: only then can the program be an init.
var called bool

// Main makes the program a guest's init when it runs as one, and then does not
// return; else it does nothing. A main function calls it first. A test binary that
// starts guests calls it in TestMain.
func Main() {
	called = true
	switch {
	case filepath.Base(os.Args[0]) == "modprobe" && exists(jobPath):
		os.Exit(modprobe(os.Args[1:]))
	case os.Getpid() == 1 && exists(jobPath):
		runInit()
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// runInit does the work of the first process. Its end would be a kernel panic, so
// it ends with a restart, on which QEMU exits, if the host has not ended it before.
func runInit() {
	if err := initialize(); err != nil {
		fmt.Fprintln(os.Stderr, "drivebay: init:", err)
	}
	drain(os.Stderr)
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	select {}
}

func initialize() error {
	if err := mountAll(); err != nil {
		return err
	}
	tty, err := openPort(own().port)
	if err != nil {
		return err
	}
	defer drain(tty)
	in := &initProcess{out: wire.NewWriter(tty), in: wire.NewReader(tty)}
	if err := in.out.Write(wire.Hello, nil); err != nil {
		return err
	}
	if err := in.run(); err != nil {
		return errors.Join(err, in.out.Write(wire.Trouble, []byte(err.Error())))
	}
	return nil
}

// drain waits until the host has taken what was written to a terminal: tcdrain(3).
func drain(tty *os.File) {
	_ = unix.IoctlSetInt(int(tty.Fd()), unix.TCSBRK, 1) // it may be no terminal
}

// initProcess is the state of init.
type initProcess struct {
	job job
	out *wire.Writer
	in  *wire.Reader
}

// run prepares the system, runs the program and reports how it ended.
func (p *initProcess) run() error {
	job, err := readJob()
	if err != nil {
		return err
	}
	p.job = job
	if err := p.prepare(); err != nil {
		return err
	}
	before, err := p.snapshot()
	if err != nil {
		return err
	}
	status, err := p.runProgram()
	if err != nil {
		return err
	}
	if err := p.collect(before); err != nil {
		return err
	}
	exit := wire.ExitData{Code: status.ExitStatus()}
	if status.Signaled() {
		exit = wire.ExitData{Code: 128 + int(status.Signal()), Signal: int(status.Signal())}
	}
	return p.out.WriteJSON(wire.Exit, exit)
}

func readJob() (job, error) {
	var j job
	b, err := os.ReadFile(jobPath)
	if err != nil {
		return job{}, err
	}
	return j, json.Unmarshal(b, &j)
}

// prepare loads modules, brings up the loopback interface and starts udevd.
func (p *initProcess) prepare() error {
	loopback := make(chan error, 1)
	go func() { loopback <- raiseLoopback() }() // the kernel sleeps in it
	m := newModules(p.job.Modules)
	for _, spec := range p.job.Load {
		name, parameters, _ := strings.Cut(spec, " ")
		if err := m.load(name, parameters); err != nil {
			return err
		}
	}
	if err := makeNodes(p.job.Modules); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("drivebay")); err != nil {
		return os.NewSyscallError("sethostname", err)
	}
	for _, mount := range p.job.Mounts {
		if err := mount.mount(); err != nil {
			return err
		}
	}
	if p.job.Udev {
		if err := startUdev(); err != nil {
			return err
		}
	}
	return <-loopback
}

// mountAll mounts what the kernel shows of itself.
func mountAll() error {
	for _, m := range []struct {
		source, target, kind, data string
		flags                      uintptr
	}{
		{"proc", "/proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"sysfs", "/sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"devtmpfs", "/dev", "devtmpfs", "mode=0755", unix.MS_NOSUID},
		{"devpts", "/dev/pts", "devpts", "mode=0620,ptmxmode=0666", unix.MS_NOSUID | unix.MS_NOEXEC},
		{"tmpfs", "/dev/shm", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
		{"tmpfs", "/run", "tmpfs", "mode=0755", unix.MS_NOSUID | unix.MS_NODEV},
	} {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, "/dev/"+name); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return linkModprobe()
}

// linkModprobe makes the program the kernel's modprobe. It is not in the archive:
// while the kernel starts, it asks for half a dozen algorithms under names that no
// module has, and would start this program for each.
func linkModprobe() error {
	const path = "/usr/sbin/modprobe"
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // a distribution's, which knows nothing of what was packed
	}
	return os.Symlink("/init", path)
}

// openPort opens a serial port for frames: no echo, no conversions.
func openPort(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	raw := unix.Termios{Cflag: unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200}
	raw.Cc[unix.VMIN] = 1
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &raw); err != nil {
		return nil, fmt.Errorf("set up %s: %w", path, err)
	}
	return f, nil
}

// raiseLoopback brings the interface lo up; a kernel without it has no network.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("bring up lo: %w", err)
	}
	return nil
}
