package output

import (
	"errors"
	"fmt"
)

var (
	// errFinished reports a write to a writer that is finished or closed.
	errFinished = errors.New("output: writer is finished")
	// errBackwards reports a write to where the file is already complete.
	errBackwards = errors.New("output: going back: want offsets that rise")
)

// OptionError reports an option, or a size of the disk, that a format does not
// take.
type OptionError struct {
	// Format is the format: "qcow2".
	Format string
	// Option is what was given: "size", "cluster size".
	Option string
	// Value is what it was.
	Value any
	// Want is what would be right.
	Want string
}

// Error names the option, its value, and what would be right.
func (e *OptionError) Error() string {
	return fmt.Sprintf("%s: %s %v: want %s", e.Format, e.Option, e.Value, e.Want)
}
