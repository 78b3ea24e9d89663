package output

import "fmt"

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
