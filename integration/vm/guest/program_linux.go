package guest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/integration/vm/internal/wire"
)

// drainLimit is how long init waits, once the program has ended, for others that
// it left behind with its output open.
const drainLimit = 5 * time.Second

// runProgram runs the program with its streams in frames, and reaps whatever dies
// in the meantime.
func (p *initProcess) runProgram() (unix.WaitStatus, error) {
	stdin, stdinWriter, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	var output sync.WaitGroup
	stdout, err := p.stream(wire.Stdout, &output)
	if err != nil {
		return 0, err
	}
	stderr, err := p.stream(wire.Stderr, &output)
	if err != nil {
		return 0, err
	}
	pid, err := spawn(p.job.Path, p.job.Args, p.job.Env, p.job.Dir, stdin, stdout, stderr)
	if err != nil {
		return 0, err
	}
	for _, f := range []*os.File{stdin, stdout, stderr} {
		_ = f.Close()
	}
	go p.listen(pid, stdinWriter)

	status, err := reap(pid)
	if err != nil {
		return 0, err
	}
	drained := make(chan struct{})
	go func() { output.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(drainLimit):
	}
	return status, nil
}

// stream returns the writing end of a pipe whose bytes become frames.
func (p *initProcess) stream(kind wire.Kind, done *sync.WaitGroup) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	done.Go(func() {
		_, _ = io.CopyBuffer(struct{ io.Writer }{p.out.Stream(kind)}, struct{ io.Reader }{r}, make([]byte, 64<<10))
		_ = r.Close()
	})
	return w, nil
}

func spawn(path string, args, env []string, dir string, files ...*os.File) (int, error) {
	attr := &syscall.ProcAttr{Dir: dir, Env: env, Sys: &syscall.SysProcAttr{Setpgid: true}}
	for _, f := range files {
		attr.Files = append(attr.Files, f.Fd())
	}
	pid, err := syscall.ForkExec(path, args, attr)
	if err != nil {
		return 0, fmt.Errorf("start %s in %s: %w", path, dir, err)
	}
	return pid, nil
}

// reap waits for the process and returns its status.
func reap(pid int) (unix.WaitStatus, error) {
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, os.NewSyscallError("wait4", err)
		case got == pid && !status.Stopped():
			return status, nil
		}
	}
}

// listen does what the host says: input and signals for the program, answers to
// requests.
func (p *initProcess) listen(pid int, stdin *os.File) {
	requests := newRequests(p.out)
	go requests.serve()
	for {
		kind, payload, err := p.in.Read()
		if errors.Is(err, wire.ErrFrame) {
			continue
		}
		if err != nil {
			return
		}
		switch kind {
		case wire.Stdin:
			// A program that reads no more gets no more: the frame is taken.
			_, _ = stdin.Write(payload)
			_ = p.out.Write(wire.Taken, nil)
		case wire.EndStdin:
			_ = stdin.Close()
		case wire.Signal:
			if number, err := strconv.Atoi(string(payload)); err == nil {
				_ = unix.Kill(pid, unix.Signal(number))
			}
		case wire.Answer:
			requests.answer(payload)
		}
	}
}

// udevd is where distributions with systemd have it.
const udevd = "/usr/lib/systemd/systemd-udevd"

// startUdev starts udevd and waits until it has seen the devices that are there.
func startUdev() error {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	console, err := os.OpenFile("/dev/console", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer console.Close()
	env := []string{"PATH=/usr/sbin:/usr/bin"}
	for _, args := range [][]string{
		{udevd, "--daemon"},
		{"/usr/bin/udevadm", "trigger", "--action=add"},
		{"/usr/bin/udevadm", "settle", "--timeout=60"},
	} {
		pid, err := spawn(args[0], args, env, "/", null, console, console)
		if err != nil {
			return err
		}
		status, err := reap(pid)
		if err != nil {
			return err
		}
		if status != 0 {
			return fmt.Errorf("udev: %q: exit status %d", args, status.ExitStatus())
		}
	}
	return nil
}
