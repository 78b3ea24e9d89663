// Package sample makes contents for the tests and examples of file systems: bytes that
// tell where they stand, bytes that do not compress, files with holes, and small volumes.
package sample

import (
	"io"
	"math/rand/v2"

	"github.com/drivebay/drivebay/image/filetree"
)

// Pattern is n bytes that are not zero, compress well, and differ from one block of
// 4 KiB to the next.
func Pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i%251) + byte(i/4096%4) + 1
	}
	return b
}

// Noise is n bytes that do not compress, the same for the same seed.
func Noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	_, _ = r.Read(b)
	return b
}

// Sparse returns a file of size bytes with data in the ranges.
func Sparse(size int64, data ...filetree.Range) filetree.Entry {
	return filetree.Entry{
		Mode: 0o644, Size: size, Data: append([]filetree.Range{}, data...),
		Open: func() (filetree.Content, error) { return &sparse{size: size, data: data}, nil },
	}
}

// SparseBytes returns the data that a file of [Sparse] has in a range.
func SparseBytes(r filetree.Range) []byte {
	b := make([]byte, r.Length)
	for i := range b {
		b[i] = sparseByte(r.Offset + int64(i))
	}
	return b
}

func sparseByte(off int64) byte { return byte(off%251) + 1 }

// sparse has the bytes of its own offsets in the ranges, zeros elsewhere.
type sparse struct {
	pos, size int64
	data      []filetree.Range
}

func (c *sparse) Read(p []byte) (int, error) {
	if c.pos == c.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), c.size-c.pos)]
	clear(p)
	end := c.pos + int64(len(p))
	for len(c.data) > 0 && c.data[0].End() <= c.pos {
		c.data = c.data[1:]
	}
	for _, r := range c.data {
		if r.Offset >= end {
			break
		}
		for o := max(r.Offset, c.pos); o < min(r.End(), end); o++ {
			p[o-c.pos] = sparseByte(o)
		}
	}
	c.pos = end
	return len(p), nil
}

func (c *sparse) Seek(off int64, whence int) (int64, error) {
	c.pos = off + [...]int64{0, c.pos, c.size}[whence]
	return c.pos, nil
}

func (c *sparse) Close() error { return nil }
