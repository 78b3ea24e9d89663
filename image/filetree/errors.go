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
	// ErrLost reports metadata of a large tree that a temporary file held, and that
	// cannot be read again: see [Recover].
	ErrLost = errors.New("metadata is lost")
)

// Recover is for functions that ask nodes of a large tree for their metadata, and
// that return an error: deferred, it makes one of what has been lost. The methods of
// nodes that return no error panic there, as memory that fails does; what else
// panics goes on.
//
//	func list(tree *filetree.Tree) (names []string, err error) {
//		defer filetree.Recover(&err)
//
// All functions and methods of this package that return an error have done so, the
// function that is given to [Tree.Walk] included, and so have those of package image.
func Recover(err *error) {
	switch r := recover().(type) {
	case nil:
	case lost:
		*err = r.error
	default:
		panic(r)
	}
}

// lost is what methods that return no error panic with: an ErrLost.
type lost struct{ error }

// PathError is the error of an operation on one file.
type PathError = fs.PathError
