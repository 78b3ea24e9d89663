package vm

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrMachine is wrapped by the errors for a [Machine] that cannot be: a
	// device without an ID, a size that is no multiple of its blocks.
	ErrMachine = errors.New("the machine is described wrongly")

	// ErrNoQEMU is wrapped by the error of [Start] where there is no QEMU.
	ErrNoQEMU = errors.New("QEMU is not installed")

	// ErrGone is wrapped by the errors of methods whose machine has ended.
	ErrGone = errors.New("the machine has ended")
)

// QMPError is what QEMU answers to a command that it refuses.
type QMPError struct {
	Command string
	Class   string `json:"class"` // "GenericError", "DeviceNotFound"
	Desc    string `json:"desc"`
}

func (e *QMPError) Error() string {
	return fmt.Sprintf("QMP command %s: %s: %s", e.Command, e.Class, e.Desc)
}

// ExitError is the error of a machine that did not end by itself: QEMU refused its
// options, crashed, or was killed.
type ExitError struct {
	Err    error  // of os/exec
	Stderr string // the last that QEMU said
}

func (e *ExitError) Error() string {
	s := fmt.Sprintf("QEMU: %v", e.Err)
	if text := strings.TrimSpace(e.Stderr); text != "" {
		s += ": " + text
	}
	return s
}

func (e *ExitError) Unwrap() error { return e.Err }

// PanicError is the error of a machine whose kernel panicked.
type PanicError struct {
	Reason string // what follows "Kernel panic - not syncing: " on the console
}

func (e *PanicError) Error() string { return "guest's kernel panicked: " + e.Reason }
