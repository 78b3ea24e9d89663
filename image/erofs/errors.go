package erofs

import (
	"errors"

	"github.com/drivebay/drivebay/image/filetree"
)

var (
	// ErrUnsupported reports a file that EROFS cannot hold: a size or extended
	// attributes beyond the format's limits, or one that ends behind the last block
	// that there is. It arrives in a [*filetree.PathError] that names the file.
	ErrUnsupported = errors.New("not possible in erofs")
	// ErrOption reports a field of a [FileSystem], or a geometry, that is out of
	// range.
	ErrOption = errors.New("bad option")
	// ErrNotEROFS reports a volume that [Open] finds to be no EROFS.
	ErrNotEROFS = errors.New("no EROFS")
)

// fileError names the file of an error.
func fileError(n filetree.Node, err error) error {
	return &filetree.PathError{Op: "erofs", Path: n.Path(), Err: err}
}
