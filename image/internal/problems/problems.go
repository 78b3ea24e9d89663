// Package problems collects what a file system cannot hold of a tree, so that all of
// it is told at once.
package problems

import (
	"errors"
	"fmt"

	"github.com/drivebay/drivebay/image/filetree"
)

// Max is how many problems are told one by one.
const Max = 10

// List collects errors about files.
type List struct {
	// Op is what the [*filetree.PathError] of each says that was done: the format.
	Op string

	list []error
	more int
}

// Add enters what is wrong with a node.
func (l *List) Add(n filetree.Node, err error) {
	if len(l.list) == Max {
		l.more++
		return
	}
	l.list = append(l.list, &filetree.PathError{Op: l.Op, Path: n.Path(), Err: err})
}

// Err returns nil for none, the only one, or the first [Max] joined with the number
// of the rest.
func (l *List) Err() error {
	switch {
	case l.more > 0:
		return errors.Join(append(l.list, fmt.Errorf("and %d more such problems", l.more))...)
	case len(l.list) == 1:
		return l.list[0]
	}
	return errors.Join(l.list...)
}
