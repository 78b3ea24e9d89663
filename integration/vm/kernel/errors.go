package kernel

import (
	"errors"
	"fmt"
)

var (
	// ErrNotKernel is wrapped by the errors of [Open] for a file that is neither a
	// bzImage nor an arm64 Image.
	ErrNotKernel = errors.New("not a Linux kernel, neither a bzImage nor an arm64 Image")

	// ErrNoModules is wrapped by the error for a kernel whose modules are in none
	// of the usual places.
	ErrNoModules = errors.New("no directory of modules")
)

// ModuleError is the error for a module that a kernel does not have.
type ModuleError struct {
	Module  string // as it was asked for
	Release string // of the kernel
	Option  string // the configuration option that makes it; "" unknown
	State   string // of that option: "y", "m", "is not set"; "" unknown
}

func (e *ModuleError) Error() string {
	s := fmt.Sprintf("kernel %s has no module %s", e.Release, e.Module)
	switch {
	case e.Option != "" && e.State != "":
		s += fmt.Sprintf(": its configuration says %s %s", e.Option, e.State)
	case e.Option != "":
		s += ": it wants one built with " + e.Option
	}
	return s
}
