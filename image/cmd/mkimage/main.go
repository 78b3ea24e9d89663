// Command mkimage builds partitioned disk images from a description in YAML, or
// from systemd's partition definitions, and inspects and verifies them.
//
//	mkimage build disk.yaml -o disk.img
//	mkimage plan disk.yaml
//	mkimage inspect disk.img
//	mkimage verify disk.img disk.yaml
//	mkimage build repart.d -o disk.img --root ./rootfs --size 2GiB
//
// It needs no root. What a description may say is in the documentation of package
// [github.com/drivebay/drivebay/image/spec], what definitions may say in
// [github.com/drivebay/drivebay/image/spec/repart], and "mkimage help" tells the rest.
//
// The exit status is 0 where all went well, 1 for an error, 2 for a command line
// that makes no sense, and 128 and the signal's number (130 for Ctrl-C) where a
// signal ended it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() { os.Exit(mainStatus()) }

// mainStatus runs the command and returns its exit status.
func mainStatus() int {
	// Buffers are kept and used again, and large trees lie in temporary files, so
	// that there is hardly any garbage: to collect it early costs next to nothing,
	// and by default the heap would grow to twice of what is in use.
	debug.SetGCPercent(10)

	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Stop(signals) // the next one kills
		cancel(signalError{s})
	}()
	err := run(ctx, os.Args[1:], os.Stdin, standardOutput(), os.Stderr)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // whatever came of it
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mkimage:", err)
	}
	return exitStatus(err)
}

// standardOutput returns os.Stdout, or what fails where that was closed when the
// command began.
func standardOutput() io.Writer {
	if wasClosed(os.Stdout) {
		return closedOutput{}
	}
	return os.Stdout
}

// closedOutput is a standard output that there is none of.
type closedOutput struct{}

// Write fails.
func (closedOutput) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: os.Stdout.Name(), Err: fs.ErrClosed}
}

// exitStatus returns the exit status for an error of run.
func exitStatus(err error) int {
	var usage usageError
	var sig signalError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &sig):
		if number, ok := sig.Signal.(syscall.Signal); ok {
			return 128 + int(number)
		}
		return 128
	case errors.As(err, &usage):
		return 2
	}
	return 1
}

// signalError is what ends the context when a signal comes.
type signalError struct{ os.Signal }

// Error names the signal.
func (e signalError) Error() string { return "ended by a signal: " + e.Signal.String() }

// usageError is a command line that makes no sense.
type usageError struct {
	command string // "" for none that is known
	err     error
}

// Error says what is wrong and where to read what would be right.
func (e usageError) Error() string {
	help := "mkimage help"
	if e.command != "" {
		help += " " + e.command
	}
	return fmt.Sprintf("%v\nTry %q.", e.err, help)
}

// Unwrap returns the cause.
func (e usageError) Unwrap() error { return e.err }
