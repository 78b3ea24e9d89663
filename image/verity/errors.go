package verity

import "errors"

// Errors of this package, for errors.Is.
var (
	// ErrOption reports a parameter that is out of its range, or data that is no
	// whole number of blocks.
	ErrOption = errors.New("bad option")
	// ErrAlone reports a [HashTree] or a [Signature] that is planned by itself: it
	// is made of what another partition holds, so that it takes an image.Layout.
	ErrAlone = errors.New("made of another partition of a layout")
	// ErrSuperblock reports bytes that are no superblock of dm-verity, or of
	// another version than is known here.
	ErrSuperblock = errors.New("no superblock of dm-verity")
)
