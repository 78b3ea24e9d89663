package ext4

import (
	"errors"

	"github.com/drivebay/drivebay/image/filetree"
)

// ErrUnsupported reports a file that ext4 cannot hold, or not as it is written
// here: a size, time, target, link count or extended attribute beyond the
// format's limits. It arrives in a [*filetree.PathError] that names the file.
var ErrUnsupported = errors.New("not possible in ext4")

// errTooManyGroups reports descriptors that leave no room in a group.
var errTooManyGroups = errors.New("too many groups")

// fileError names the file of an error.
func fileError(n filetree.Node, err error) error {
	return &filetree.PathError{Op: "ext4", Path: n.Path(), Err: err}
}
