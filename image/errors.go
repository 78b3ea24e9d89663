package image

import (
	"errors"
	"fmt"

	"github.com/drivebay/drivebay/image/volume"
)

// Errors of reading and checking images, for errors.Is.
var (
	// ErrNoTable reports a disk on which no partition table was found.
	ErrNoTable = errors.New("no partition table")
	// ErrFormat reports a volume whose format cannot be read here.
	ErrFormat = errors.New("format is not one that can be read")
	// ErrDiffers reports an image that is not what its layout says.
	ErrDiffers = errors.New("image differs from its layout")
)

// SizeError reports a content that does not fit: see [volume.SizeError].
type SizeError = volume.SizeError

// LayoutError reports a field of a layout that has no meaning, or none together
// with the others. It stands for itself: nothing has been written.
type LayoutError struct {
	// Object is what the field belongs to: "disk", "partition 2 (root)",
	// "blob 1 (mbr)".
	Object string
	// Field is the name of the field, as in the spec ("size", "start").
	Field string
	// Value is what it holds, nil where that cannot be said in a line.
	Value any
	// Want says what would be right.
	Want string
	// Err is the cause, where there is one.
	Err error
}

// Error names object, field, value and what would be right.
func (e *LayoutError) Error() string {
	s := e.Object + ": " + e.Field
	if e.Value != nil {
		s += fmt.Sprintf(" %v", e.Value)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Want != "" {
		s += ": want " + e.Want
	}
	return s
}

// Unwrap returns the cause.
func (e *LayoutError) Unwrap() error { return e.Err }
