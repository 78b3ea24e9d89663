package filetree

import (
	"errors"
	"io/fs"
)

// Errors that callers may want to tell apart, with errors.Is. Those of the
// package arrive in a [*PathError] that names the file.
var (
	// ErrExist reports a name that is in the tree already.
	ErrExist = fs.ErrExist
	// ErrNotExist reports a name that is not in the tree.
	ErrNotExist = fs.ErrNotExist
	// ErrNotDir reports a path that leads through something that is not a
	// directory.
	ErrNotDir = errors.New("not a directory")
	// ErrBadPath reports a path that no tree can hold: absolute, empty, with
	// "..", with a NUL or with a name over 255 bytes.
	ErrBadPath = errors.New("bad path")
	// ErrBadEntry reports metadata that no file system can hold.
	ErrBadEntry = errors.New("bad entry")
	// ErrChanged reports a source that is no longer what it was when the tree
	// was made.
	ErrChanged = errors.New("changed while it was read")
)

// PathError is the error of an operation on one file.
type PathError = fs.PathError
