package uki

import (
	"encoding/binary"

	"github.com/drivebay/drivebay/image/internal/pecoff"
)

// Checksum returns the checksum of a PE image as the image should state it.
func Checksum(b []byte) uint32 {
	h, err := pecoff.Parse(b, int64(len(b)))
	if err != nil {
		panic(err)
	}
	b = append([]byte(nil), b...)
	binary.LittleEndian.PutUint32(b[h.Optional+pecoff.CheckSum:], 0)
	var c pecoff.Checksum
	for ; len(b) > 7; b = b[7:] { // in pieces that are no words
		_, _ = c.Write(b[:7])
	}
	_, _ = c.Write(b)
	return c.Value()
}
