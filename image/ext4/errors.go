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

// Errors of [Open] beside those of package volume.
var (
	// ErrNotExt reports a volume that is no ext2, ext3 or ext4.
	ErrNotExt = errors.New("no ext file system")
	// ErrJournal reports a volume whose journal has not been replayed: it is
	// mounted, or was when its machine went down. Mounting it once, or e2fsck,
	// mends that.
	ErrJournal = errors.New("the journal has to be replayed first: mount the volume, or run e2fsck on it")
)
