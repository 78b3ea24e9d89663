package uki

import (
	"errors"
	"fmt"

	"github.com/drivebay/drivebay/image/internal/pecoff"
)

// What errors of [Image.Entry] wrap, for errors.Is.
var (
	// ErrNotPE is of a stub or kernel that is no PE image.
	ErrNotPE = pecoff.ErrNotPE
	// ErrStub is of a stub that nothing can be appended to.
	ErrStub = errors.New("not a stub that can be extended")
	// ErrTooLarge is of parts that a PE image, whose offsets have 32 bits, cannot
	// hold.
	ErrTooLarge = errors.New("too large for a PE image")
)

// PartError tells which part of an image is wrong.
type PartError struct {
	Part string // "stub", "kernel", "command line", "section" and so on
	Name string // of its source, or of the section; "" for what is given as text
	Err  error
}

// Error returns the part, its source and the cause.
func (e *PartError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("unified kernel image: %s: %v", e.Part, e.Err)
	}
	return fmt.Sprintf("unified kernel image: %s %s: %v", e.Part, e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *PartError) Unwrap() error { return e.Err }
