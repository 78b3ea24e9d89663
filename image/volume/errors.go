package volume

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
)

// Errors of reading a volume that somebody has made, for errors.Is. Their texts
// name the structure, where it is, the value and what would be right.
var (
	// ErrDamaged reports a volume that contradicts itself, its checksums or the
	// limits of its format.
	ErrDamaged = errors.New("volume is damaged")
	// ErrFeature reports a volume, or a file on it, with a feature that is not
	// read here.
	ErrFeature = errors.New("volume has a feature that is not read")
)

// SizeError reports that a content does not fit its volume.
type SizeError struct {
	// Format is the format of the volume, as in [Info].
	Format string
	// Size is the size of the volume in bytes, Need what the content asks for.
	Size, Need int64
	// Resource is what has run out: "bytes", "inodes", "clusters" ... Size and
	// Need count these.
	Resource string
}

// Error says what is missing.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%s: content needs %d %s, volume has %d: %d too few",
		e.Format, e.Need, e.Resource, e.Size, e.Need-e.Size)
}

func newSHA256() hash.Hash { return sha256.New() }
