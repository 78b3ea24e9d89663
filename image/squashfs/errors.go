package squashfs

import (
	"errors"

	"github.com/drivebay/drivebay/image/filetree"
)

// Errors that callers may want to tell apart, with errors.Is. A source that has
// changed since its tree was made is a [filetree.ErrChanged], a volume that is too
// small a [*volume.SizeError].
var (
	// ErrUnsupported reports a file that squashfs cannot hold: a time before
	// 1970 or after 2106, an extended attribute of another namespace than user,
	// trusted and security, more owners or larger files than there can be. It
	// arrives in a [*filetree.PathError] that names the file.
	ErrUnsupported = errors.New("not possible in squashfs")
	// ErrOption reports a field of [FileSystem] or of the geometry that is out
	// of its range.
	ErrOption = errors.New("bad option")
	// ErrNotSquashfs reports a volume that [Open] finds to be no squashfs.
	ErrNotSquashfs = errors.New("no squashfs")
	// ErrClosed reports the use of a [FileSystem] that has been closed, or of a
	// plan of it.
	ErrClosed = errors.New("file system is closed")
)

// fileError names the file of an error.
func fileError(n filetree.Node, err error) error {
	return &filetree.PathError{Op: "squashfs", Path: n.Path(), Err: err}
}
