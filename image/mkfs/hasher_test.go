package mkfs_test

import (
	"encoding/binary"
	"hash"
)

// hasher is a sink that keeps no more than a hash of what was written where.
type hasher struct{ hash hash.Hash }

func (h *hasher) WriteAt(p []byte, off int64) (int, error) {
	_ = binary.Write(h.hash, binary.LittleEndian, off)
	return h.hash.Write(p)
}
