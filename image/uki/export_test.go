package uki

import (
	"encoding/binary"
)

// Checksum returns the checksum of a PE image as the image should state it.
func Checksum(b []byte) uint32 {
	h, err := parsePE(b)
	if err != nil {
		panic(err)
	}
	b = append([]byte(nil), b...)
	binary.LittleEndian.PutUint32(b[h.optional+optCheckSum:], 0)
	var c checksum
	for ; len(b) > 7; b = b[7:] { // in pieces that are no words
		_, _ = c.Write(b[:7])
	}
	_, _ = c.Write(b)
	return c.value()
}
