package mkfs

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/drivebay/drivebay/image/filetree"
)

// Errors that callers may want to tell apart, with errors.Is. Those about a file
// arrive in a [*filetree.PathError] that names it; a plan that finds several
// joins them, up to ten and the number of the rest.
//
// A volume that is too small for its type or its content is a
// [*volume.SizeError].
var (
	// ErrNotInstalled reports a program that is not there.
	ErrNotInstalled = errors.New("not installed")
	// ErrUnsupported reports what a program cannot put into a file system.
	ErrUnsupported = errors.New("mkfs cannot make such files")
	// ErrOption reports a field of [FileSystem] or of the geometry that is out
	// of its range.
	ErrOption = errors.New("bad option")
	// ErrSubvolume reports a subvolume that cannot be one, or that the program
	// cannot make.
	ErrSubvolume = errors.New("cannot be a subvolume")
	// ErrLimit reports a limit of the process that is too low for the tree.
	ErrLimit = errors.New("limit too low")
	// ErrPermission reports what only root can do.
	ErrPermission = fs.ErrPermission
)

// maxProblems is how many errors about files are told one by one.
const maxProblems = 10

// problems collects what is wrong with a tree.
type problems struct {
	list []error
	more int
}

func (p *problems) add(t Type, n filetree.Node, err error) {
	if len(p.list) == maxProblems {
		p.more++
		return
	}
	p.list = append(p.list, &filetree.PathError{Op: string(t), Path: n.Path(), Err: err})
}

func (p *problems) err() error {
	if p.more > 0 {
		p.list = append(p.list, fmt.Errorf("and %d more: %w", p.more, ErrUnsupported))
	}
	if len(p.list) == 1 {
		return p.list[0]
	}
	return errors.Join(p.list...)
}
