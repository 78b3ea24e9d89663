package pecoff

import "encoding/binary"

// Checksum sums up a PE image as the field CheckSum has it: the ones' complement
// sum of its 16-bit words, taken with that field zero, plus its length. (The
// algorithm is that of ImageHlp's CheckSumMappedFile.) Its zero value is ready.
type Checksum struct {
	sum  uint64
	size uint32
	odd  []byte // less than a word that is left
}

// Write adds b. It never fails.
func (c *Checksum) Write(b []byte) (int, error) {
	n := len(b)
	c.size += uint32(n)
	if len(c.odd) > 0 {
		take := min(len(b), 4-len(c.odd))
		c.odd = append(c.odd, b[:take]...)
		b = b[take:]
		if len(c.odd) < 4 {
			return n, nil
		}
		c.sum += uint64(binary.LittleEndian.Uint32(c.odd))
		c.odd = c.odd[:0]
	}
	// A 32-bit word is worth the sum of its halves, since 65536 is 1 modulo 65535.
	for ; len(b) >= 4; b = b[4:] {
		c.sum += uint64(binary.LittleEndian.Uint32(b))
	}
	c.odd = append(c.odd, b...)
	return n, nil
}

// Value returns the checksum of what was written.
func (c *Checksum) Value() uint32 {
	var last [4]byte
	copy(last[:], c.odd)
	sum := c.sum + uint64(binary.LittleEndian.Uint32(last[:]))
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint32(sum) + c.size
}
