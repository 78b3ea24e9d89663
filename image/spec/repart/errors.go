package repart

import (
	"errors"
	"fmt"
)

// ErrNotSupported reports a setting that systemd-repart has and this package has
// not, or not yet.
var ErrNotSupported = errors.New("not supported")

// Place is a line of a definition or of a drop-in.
type Place struct {
	File string
	Line int // from 1, 0 for the file as a whole
}

// String returns the place as compilers print it.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Error is what is wrong at one place of the definitions. Where there are several,
// they are joined, in the order of the files.
type Error struct {
	Place
	// Err is what is wrong there.
	Err error
}

// Error returns the place and the cause:
//
//	repart.d/10-root.conf:3: SizeMinBytes "2 gigs": want a number of bytes ...
func (e *Error) Error() string { return e.Place.String() + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// failf returns an error at a place.
func (p Place) failf(format string, args ...any) *Error {
	return &Error{Place: p, Err: fmt.Errorf(format, args...)}
}
