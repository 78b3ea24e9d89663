package guest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/integration/vm/internal/wire"
)

// runProgram runs the program with its streams in frames, and reaps whatever dies
// in the meantime.
func (p *initProcess) runProgram() (unix.WaitStatus, error) {
	stdin, stdinWriter, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	output := outputs{frames: p.out}
	stdout, err := output.pipe(wire.Stdout)
	if err != nil {
		return 0, err
	}
	stderr, err := output.pipe(wire.Stderr)
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
	output.finish()
	return status, nil
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
	input := make(chan []byte, 1) // the host sends the next when this was taken
	go p.feed(stdin, input)
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
			input <- payload
		case wire.EndStdin:
			close(input)
		case wire.Signal:
			if number, err := strconv.Atoi(string(payload)); err == nil {
				_ = unix.Kill(pid, unix.Signal(number))
			}
		case wire.Answer:
			requests.answer(payload)
		}
	}
}

// feed passes input on to the program, which may let it wait: signals and answers do
// not.
func (p *initProcess) feed(stdin *os.File, input <-chan []byte) {
	defer stdin.Close()
	for b := range input {
		// A program that reads no more gets no more: the frame is taken.
		_, _ = stdin.Write(b)
		_ = p.out.Write(wire.Taken, nil)
	}
}
