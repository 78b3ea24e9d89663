package volume

import (
	"crypto/sha256"
	"fmt"
	"hash"
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
