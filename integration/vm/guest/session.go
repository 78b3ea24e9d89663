package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/drivebay/drivebay/integration/vm"
	"github.com/drivebay/drivebay/integration/vm/internal/wire"
)

// session is the host's half of the talk with init.
type session struct {
	guest   *vm.VM
	program Program
	streams Streams
	out     *wire.Writer
	in      *wire.Reader

	hello chan struct{} // closed when init runs
	taken chan struct{} // the program has taken its input
	ended chan struct{} // closed after the last frame
	err   error         // set before: nil when Exit came
	exit  wire.ExitData // set before

	file *os.File // being received
	left int64    // bytes of it to come
}

func newSession(guest *vm.VM, p Program, s Streams) *session {
	if s.Stdout == nil {
		s.Stdout = io.Discard
	}
	if s.Stderr == nil {
		s.Stderr = io.Discard
	}
	return &session{
		guest: guest, program: p, streams: s,
		out: wire.NewWriter(guest.Serial(1)), in: wire.NewReader(guest.Serial(1)),
		hello: make(chan struct{}), taken: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// waitBoot waits for init's first word. A signal that comes before is a signaled.
func (s *session) waitBoot(ctx context.Context, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-s.hello:
		return nil
	case <-timer.C:
		return fmt.Errorf("%w in %v", ErrBoot, limit)
	case signal := <-s.streams.Signals:
		return signaled{signal}
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.ended:
	}
	switch {
	case s.booted(): // and has had its last word
		return nil
	case !errors.Is(s.err, ErrDied):
		return s.err
	}
	return errors.Join(ErrBoot, s.guest.Wait())
}

// signaled is the error for a guest that a signal has ended before its program ran.
type signaled struct{ os.Signal }

func (s signaled) Error() string { return "signal: " + s.String() }

// status is what it would have been had the signal met the program.
func (s signaled) status() Status {
	number, _ := s.Signal.(syscall.Signal)
	return Status{Code: 128 + int(number), Signal: int(number)}
}

// waitExit serves the program until it has ended.
func (s *session) waitExit(ctx context.Context) (Status, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if limit := s.program.Limit; limit > 0 {
		timer := time.AfterFunc(limit, func() { stop(fmt.Errorf("%w: its program has not ended in %v", ErrStuck, limit)) })
		defer timer.Stop()
	}
	go s.feed(ctx)
	go s.passSignals(ctx, stop)
	select {
	case <-ctx.Done():
		return Status{}, context.Cause(ctx)
	case <-s.ended:
	}
	if !errors.Is(s.err, ErrDied) {
		return Status{Code: s.exit.Code, Signal: s.exit.Signal}, s.err
	}
	// Its port is closed, so QEMU is about to end: with a reason, it may be.
	if err := s.guest.Wait(); err != nil {
		return Status{}, fmt.Errorf("%w: %w", ErrDied, err)
	}
	return Status{}, ErrDied
}

// read takes frames until the last.
func (s *session) read() {
	defer close(s.ended)
	for done := false; !done && s.err == nil; {
		kind, payload, err := s.in.Read()
		switch {
		case err == nil:
			done, s.err = s.frame(kind, payload)
		case !errors.Is(err, wire.ErrFrame):
			s.err = fmt.Errorf("%w: read its port: %w", ErrDied, err)
		case s.booted():
			s.err = fmt.Errorf("read the guest's port: %w", err) // some output is lost
		}
	}
	s.err = errors.Join(s.err, s.closeFile())
}

// end ends the guest. From then on nothing is written to the program's streams.
func (s *session) end() {
	s.guest.Kill()
	<-s.ended
}

// booted reports whether init runs.
func (s *session) booted() bool {
	select {
	case <-s.hello:
		return true
	default:
		return false
	}
}

// frame handles one frame and reports whether it is the last.
func (s *session) frame(kind wire.Kind, payload []byte) (bool, error) {
	var err error
	switch kind {
	case wire.Hello:
		if s.booted() {
			return true, errors.New("the guest has restarted")
		}
		close(s.hello)
	case wire.Stdout:
		_, err = s.streams.Stdout.Write(payload)
	case wire.Stderr:
		_, err = s.streams.Stderr.Write(payload)
	case wire.Taken:
		select {
		case s.taken <- struct{}{}:
		default: // nobody feeds any longer
		}
	case wire.File:
		err = s.createFile(payload)
	case wire.Data:
		err = s.writeFile(payload)
	case wire.Ask:
		go s.answer(slices.Clone(payload))
	case wire.Trouble:
		return true, fmt.Errorf("%w: %s", ErrInit, payload)
	case wire.Exit:
		return true, json.Unmarshal(payload, &s.exit)
	}
	return false, err
}

// feed sends the program's input, a frame at a time: the port has no flow control.
func (s *session) feed(ctx context.Context) {
	defer func() { _ = s.out.Write(wire.EndStdin, nil) }()
	if s.streams.Stdin == nil {
		return
	}
	b := make([]byte, wire.MaxPayload)
	for {
		n, err := s.streams.Stdin.Read(b)
		if n > 0 {
			if s.out.Write(wire.Stdin, b[:n]) != nil {
				return
			}
			select {
			case <-s.taken:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// passSignals passes signals on to the program. The third that asks for an end is
// granted by us: the program, or its guest, may be stuck.
func (s *session) passSignals(ctx context.Context, stop context.CancelCauseFunc) {
	for asked := 0; ; {
		select {
		case signal := <-s.streams.Signals:
			number, _ := signal.(syscall.Signal)
			if number == syscall.SIGINT || number == syscall.SIGTERM {
				asked++
			}
			if asked == maxAsked {
				stop(fmt.Errorf("%w: its program has not ended by %d signals", ErrStuck, maxAsked))
				return
			}
			_ = s.out.Write(wire.Signal, strconv.AppendInt(nil, int64(number), 10))
		case <-ctx.Done():
			return
		}
	}
}

const maxAsked = 3

// createFile begins a file that the guest sends. Only what was asked for is taken.
func (s *session) createFile(payload []byte) error {
	if err := s.closeFile(); err != nil {
		return err
	}
	var file wire.FileData
	if err := json.Unmarshal(payload, &file); err != nil {
		return err
	}
	if !s.wanted(file.Path) {
		return fmt.Errorf("the guest sends %s, for which nobody has asked", file.Path)
	}
	if err := os.MkdirAll(filepath.Dir(file.Path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(file.Path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, os.FileMode(file.Mode)&0o777)
	if err != nil {
		return err
	}
	s.file, s.left = f, file.Size
	return nil
}

func (s *session) writeFile(payload []byte) error {
	if s.left -= int64(len(payload)); s.left < 0 {
		return errors.New("the guest sends more of a file than it has announced")
	}
	_, err := s.file.Write(payload)
	return err
}

func (s *session) wanted(path string) bool {
	return filepath.Clean(path) == path && slices.ContainsFunc(s.program.Collect, func(root string) bool {
		return path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/")
	})
}

// closeFile ends the file that the guest has sent, if any.
func (s *session) closeFile() error {
	f := s.file
	if f == nil {
		return nil
	}
	s.file = nil
	err := f.Close()
	if err == nil && s.left != 0 {
		err = fmt.Errorf("%s came without its last %d bytes", f.Name(), s.left)
	}
	return err
}

// answerLimit is how long QEMU may take for a command of the guest's.
const answerLimit = 30 * time.Second

// answer runs a QMP command for a program in the guest.
func (s *session) answer(payload []byte) {
	var request wire.Request
	if err := json.Unmarshal(payload, &request); err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	response := wire.Response{ID: request.ID}
	var arguments any
	if len(request.Arguments) > 0 && string(request.Arguments) != "null" {
		arguments = request.Arguments
	}
	if err := s.guest.Execute(ctx, request.Execute, arguments, &response.Return); err != nil {
		response.Error = err.Error()
	}
	if err := s.out.WriteJSON(wire.Answer, response); err != nil {
		_ = s.out.WriteJSON(wire.Answer, wire.Response{ID: request.ID, Error: err.Error()})
	}
}
