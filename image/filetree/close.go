package filetree

import (
	"errors"
	"io"
)

// Close closes what the tree holds open of its sources: the directory that
// [FromDir] has read. Contents can no longer be opened then; metadata stays. A
// tree that is not closed holds it until it is garbage, which keeps a mounted
// file system from being unmounted.
func (t *Tree) Close() error {
	var errs []error
	for _, s := range t.sources {
		if c, ok := s.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
