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
	end   chan error    // nil when Exit came
	exit  wire.ExitData // set before end
	file  *os.File      // being received
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
		hello: make(chan struct{}), taken: make(chan struct{}, 1), end: make(chan error, 1),
	}
}

// waitBoot waits for init's first word.
func (s *session) waitBoot(ctx context.Context, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-s.hello:
		return nil
	case <-timer.C:
		return fmt.Errorf("%w in %v", ErrBoot, limit)
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.guest.Done():
		return errors.Join(ErrBoot, s.guest.Wait())
	}
}

// waitExit serves the program until it has ended.
func (s *session) waitExit(ctx context.Context) (Status, error) {
	ended, stop := context.WithCancel(ctx)
	defer stop()
	go s.feed(ended)
	go s.passSignals(ended)
	select {
	case err := <-s.end:
		if !errors.Is(err, ErrDied) {
			return Status{Code: s.exit.Code, Signal: s.exit.Signal}, err
		}
	case <-ctx.Done():
		return Status{}, context.Cause(ctx)
	}
	// Its port is closed, so QEMU is about to end: with a reason, it may be.
	if err := s.guest.Wait(); err != nil {
		return Status{}, fmt.Errorf("%w: %w", ErrDied, err)
	}
	return Status{}, ErrDied
}

// read takes frames until the last.
func (s *session) read() {
	for {
		kind, payload, err := s.in.Read()
		if errors.Is(err, wire.ErrFrame) {
			continue
		}
		if err != nil {
			s.end <- fmt.Errorf("%w: read its port: %w", ErrDied, err)
			return
		}
		done, err := s.frame(kind, payload)
		if done || err != nil {
			s.end <- errors.Join(err, s.closeFile())
			return
		}
	}
}

// frame handles one frame and reports whether it is the last.
func (s *session) frame(kind wire.Kind, payload []byte) (bool, error) {
	var err error
	switch kind {
	case wire.Hello:
		select {
		case <-s.hello:
			err = errors.New("the guest has restarted")
		default:
			close(s.hello)
		}
	case wire.Stdout:
		_, err = s.streams.Stdout.Write(payload)
	case wire.Stderr:
		_, err = s.streams.Stderr.Write(payload)
	case wire.Taken:
		s.taken <- struct{}{}
	case wire.File:
		err = s.createFile(payload)
	case wire.Data:
		if s.file != nil {
			_, err = s.file.Write(payload)
		}
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

func (s *session) passSignals(ctx context.Context) {
	for {
		select {
		case signal := <-s.streams.Signals:
			if number, ok := signal.(syscall.Signal); ok {
				_ = s.out.Write(wire.Signal, strconv.AppendInt(nil, int64(number), 10))
			}
		case <-ctx.Done():
			return
		}
	}
}

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
	s.file = f
	return err
}

func (s *session) wanted(path string) bool {
	return filepath.Clean(path) == path && slices.ContainsFunc(s.program.Collect, func(root string) bool {
		return path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/")
	})
}

func (s *session) closeFile() error {
	f := s.file
	if s.file = nil; f == nil {
		return nil
	}
	return f.Close()
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
