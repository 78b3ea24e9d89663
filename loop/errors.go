package loop

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// What callers branch on. Every error of this package carries the operation
// and its object in its text, and one of these, a typed error below, or the
// error number of the system call in its chain:
//
//	ErrNotLoop       Open: the name is no loop device, or a partition of one
//	ErrNotBound      the loop device has no backing file (any more)
//	ErrShared        Attach: the file is attached already; the text names where
//	ErrDirectIO      Attach: DirectIORequire, and the kernel will not
//	ErrBusy          Attach: no device was free for long enough; Detach,
//	                 SetBlockSize and the partition calls: a *BusyError
//	ErrTable         Partitions: the partition table is damaged
//	*BusyError       somebody else uses the device or a partition of it, and
//	                 the error says who; matches ErrBusy
//	*OptionError     input refused before the kernel was asked; matches
//	                 fs.ErrInvalid
//	*PartitionError  a partition that cannot be; matches one of ErrOverlap,
//	                 ErrPastEnd, fs.ErrInvalid, fs.ErrExist, fs.ErrNotExist,
//	                 ErrBusy
//	fs.ErrClosed     the Device is closed
//	fs.ErrNotExist   Open: there is no such device
//	fs.ErrPermission the process may not use loop devices (CAP_SYS_ADMIN)
//	errors.ErrUnsupported  this system is not Linux
//
// The context's cause ends every wait.
var (
	ErrNotLoop  = errors.New("not a loop device")
	ErrNotBound = errors.New("loop device has no backing file")
	ErrShared   = errors.New("file is attached already")
	ErrDirectIO = errors.New("kernel does not do direct I/O on this file")
	ErrBusy     = errors.New("device is in use")
	ErrTable    = errors.New("damaged partition table")
	ErrOverlap  = errors.New("overlaps another partition")
	ErrPastEnd  = errors.New("reaches past the end of the device")
)

// OptionError is input to [Attach], or to a method that changes a [Device], that
// was refused before the kernel was asked. It matches [fs.ErrInvalid].
type OptionError struct {
	Field string // of Options, or "backing"
	Value any    // what was given
	Want  string // what would be right
}

// Error returns field, value and what would be right.
func (e *OptionError) Error() string {
	return fmt.Sprintf("%s is %v: want %s", e.Field, e.Value, e.Want)
}

// Is reports whether target is [fs.ErrInvalid].
func (e *OptionError) Is(target error) bool { return target == fs.ErrInvalid }

// BusyError is a device or a partition that somebody uses. It matches [ErrBusy].
type BusyError struct {
	Device string // "loop3", or "loop3p1"
	// Holders are those who use it, as far as this process can see: see
	// [Device.Holders]. A user that was gone before it was looked for is not
	// among them.
	Holders []Holder
}

// Error says who uses the device, the first few of many.
func (e *BusyError) Error() string {
	const most = 4
	var who []string
	for _, h := range e.Holders[:min(len(e.Holders), most)] {
		who = append(who, h.String())
	}
	switch {
	case len(who) == 0:
		return ErrBusy.Error() + ", by whom cannot be seen from here"
	case len(e.Holders) > most:
		who = append(who, fmt.Sprintf("and %d more", len(e.Holders)-most))
	}
	return ErrBusy.Error() + ": " + strings.Join(who, ", ")
}

// Is reports whether target is [ErrBusy].
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// PartitionError is a partition that the table on the device, or the caller,
// asks for and that cannot be.
type PartitionError struct {
	Op     string // "add", "delete", "resize"
	Device string // "loop3"
	Number int
	Start  int64 // bytes
	Size   int64 // bytes
	Err    error
}

// Error names the partition, its place and the cause.
func (e *PartitionError) Error() string {
	if e.Op == "delete" {
		return fmt.Sprintf("%s partition %d of %s: %v", e.Op, e.Number, e.Device, e.Err)
	}
	return fmt.Sprintf("%s partition %d of %s (start %d, size %d): %v", e.Op, e.Number, e.Device, e.Start, e.Size, e.Err)
}

// Unwrap returns the cause.
func (e *PartitionError) Unwrap() error { return e.Err }
