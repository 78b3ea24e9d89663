package iso9660

import (
	"errors"
	"fmt"
)

// Errors that callers may want to tell apart, with errors.Is. Those about a file
// arrive in a [*filetree.PathError] that names it; a plan that finds several
// joins them, up to ten and the number of the rest.
//
// Content that is larger than its volume is a [*volume.SizeError], a source that
// has changed since its tree was made a [filetree.ErrChanged].
var (
	// ErrName reports a name that has to be another on the volume: beyond the
	// limits of the level where there is no Rock Ridge, or of Joliet.
	ErrName = errors.New("name cannot be held by ISO 9660")
	// ErrUnsupported reports a file that the format, as it is written, cannot
	// hold: one with extended attributes or a time out of range, or without Rock
	// Ridge anything but directories and regular files of one name.
	ErrUnsupported = errors.New("not possible in ISO 9660")
	// ErrTooLarge reports a file, a directory or a volume beyond the limits of
	// the format.
	ErrTooLarge = errors.New("too large for ISO 9660")
	// ErrOption reports a field of [FileSystem], or of the geometry, that is out
	// of its range or contradicts another.
	ErrOption = errors.New("bad option")
)

// badOption returns the error of a field.
func badOption(field string, value any, want string) error {
	return fmt.Errorf("iso9660: %s %v: %w: want %s", field, value, ErrOption, want)
}
