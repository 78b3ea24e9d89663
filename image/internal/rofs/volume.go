// Package rofs makes an [io/fs.FS], and a [filetree.Tree], of what the reader of a
// file system's format knows: a format has to tell no more than what a file is and
// what a directory holds.
//
// Volumes come from anywhere. What this package keeps from them: a directory that
// is in two places, and so perhaps in itself, is an error of
// [volume.ErrDamaged], as is a file that is of another type than its directory
// says; symbolic links are followed within the volume and not for ever.
package rofs

import (
	"io/fs"

	"github.com/drivebay/drivebay/image/filetree"
)

// ID is the number by which a volume knows a file.
type ID uint64

// Volume is a file system of a certain format. Its methods are called by several
// goroutines at once.
type Volume interface {
	// Root returns the root directory.
	Root() ID
	// Stat describes a file.
	Stat(id ID) (File, error)
	// ReadDir lists a directory in any order, without "." and "..".
	ReadDir(id ID) ([]Child, error)
}

// File is what a volume knows of a file.
type File struct {
	// Entry describes it. That of a regular file has an Open, whose Content is a
	// [*Content].
	filetree.Entry
	// Links is how many names the file has on the volume, where it is no
	// directory. Files of one ID are one file.
	Links int
}

// Child is a name in a directory.
type Child struct {
	Name string
	ID   ID
	// Type is the type of the file, of the mode's bits in fs.ModeType.
	Type fs.FileMode
	// Place is, of a directory, where its own names are, in whatever unit. No
	// two directories share one.
	Place uint64
}
