package fat

import "errors"

// Errors that callers may want to tell apart, with errors.Is. Those about a
// file arrive in a [*filetree.PathError] that names it; a plan that finds
// several joins them, up to ten and the number of the rest.
//
// Content that is larger than its volume is a [*volume.SizeError].
var (
	// ErrName reports a name that a FAT directory cannot hold.
	ErrName = errors.New("name cannot be held by FAT")
	// ErrCollision reports two names in a directory that are the same where
	// upper and lower case are not told apart.
	ErrCollision = errors.New("names are the same but for case")
	// ErrUnsupported reports a file of a kind that FAT has not: anything but
	// directories and regular files of one name.
	ErrUnsupported = errors.New("FAT has no such files")
	// ErrTooLarge reports a file, a directory or a volume beyond the limits of
	// the format.
	ErrTooLarge = errors.New("too large for FAT")
	// ErrOption reports a field of [FileSystem] or of the geometry that is out
	// of its range.
	ErrOption = errors.New("bad option")
)

// ErrNotFAT reports a volume that [Open] does not take for a FAT. What it finds
// wrong with one is a [volume.ErrDamaged].
var ErrNotFAT = errors.New("no FAT file system")
