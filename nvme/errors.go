package nvme

import (
	"errors"
	"fmt"
	"os"
)

// The errors of this package:
//
//   - [CommandError]: the controller answered with a status that is not
//     success. errors.Is(err, StatusInvalidField) compares the status.
//   - [ArgumentError]: refused before the drive was touched, because of a value
//     that the caller gave; errors.Is(err, os.ErrInvalid).
//   - [DecodeError]: bytes that do not hold the structure they should.
//   - the sentinels below, through errors.Is.
//   - what the system said, wrapped once: errors.Is(err, os.ErrPermission),
//     os.ErrNotExist and so on.
//   - errors.ErrUnsupported, where the system, the transport, or the drive by
//     its own account does not offer what was asked for.
//   - the context's error, if it was over before the command could be sent.
var (
	// ErrNotNVMe says that a device node is not one of an NVMe device.
	ErrNotNVMe = errors.New("not an NVMe device node")

	// ErrGone says that the drive has been pulled out, or its driver unbound, and
	// that the node leads nowhere. Until Linux has removed the drive, commands may end
	// with syscall.EIO, StatusHostPathError or StatusAbortedByHost instead.
	ErrGone = errors.New("the drive is gone")

	// ErrNotLive says that the controller stayed in a state other than live
	// (resetting, connecting) for as long as the context let us wait.
	ErrNotLive = errors.New("controller is not live")

	// ErrExpired says that a command was not answered within its timeout. Linux
	// has reset the controller, and whatever it was at is undecided.
	ErrExpired = errors.New("command expired, the kernel resets the controller")

	// ErrDryRun says that [DryRun] refused a command which would have changed
	// the drive.
	ErrDryRun = errors.New("refused, as this is a dry run")

	// ErrTranscript says that a command is not the one that a [Replayer]'s
	// transcript has next.
	ErrTranscript = errors.New("not the next of the transcript")

	// ErrStale says that a [Namespace] was looked up before a format or a
	// namespace management command, which may have changed its block size.
	ErrStale = errors.New("namespace may have changed since it was looked up")

	// ErrChanged says that a log changed while it was being read.
	ErrChanged = errors.New("log changed while it was read")
)

// A CommandError is a completion with a status that is not success.
type CommandError struct {
	Queue  Queue
	Opcode Opcode
	NSID   uint32
	Status Status
	Result uint64 // the completion's DW0, and DW1 in the upper half
}

func newCommandError(cmd *Command, done Completion) *CommandError {
	return &CommandError{cmd.Queue, cmd.Opcode, cmd.NSID, done.Status, done.Result}
}

// Error names the command and the status.
func (e *CommandError) Error() string {
	where := ""
	if e.NSID != 0 {
		where = " on nsid " + nsidText(e.NSID)
	}
	status := e.Status.String()
	if name, ok := fabricsStatusNames[e.Status.Code()]; ok && e.Queue == AdminQueue && e.Opcode == AdminFabrics {
		status = e.Status.text(name)
	}
	return fmt.Sprintf("nvme: %s%s: %s", commandName(e.Queue, e.Opcode), where, status)
}

// Unwrap returns the status, for errors.Is and errors.As.
func (e *CommandError) Unwrap() error { return e.Status }

// An ArgumentError says why a value that the caller gave was refused before
// the drive was touched.
type ArgumentError struct {
	Op    string // the command or procedure
	Field string
	Value any
	Want  string // what would be right
}

// Error names the field, its value and what would be right.
func (e *ArgumentError) Error() string {
	return fmt.Sprintf("nvme: %s: %s is %v, want %s", e.Op, e.Field, e.Value, e.Want)
}

// Is matches os.ErrInvalid.
func (e *ArgumentError) Is(target error) bool { return target == os.ErrInvalid }

// A DecodeError says that bytes do not hold the structure that they should.
type DecodeError struct {
	Structure string // the Go type's name
	Problem   string
}

// Error names the structure and the problem.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("nvme: decode %s: %s", e.Structure, e.Problem)
}
