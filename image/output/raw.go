package output

import (
	"os"

	"github.com/drivebay/drivebay/image/volume"
)

// Raw writes a disk as it is, sparsely.
type Raw struct {
	f    File
	size int64
}

// NewRaw returns a writer of a disk of size bytes to f.
func NewRaw(f File, size int64) (*Raw, error) {
	if size < 0 {
		return nil, &OptionError{"raw", "size", size, "at least 0"}
	}
	return &Raw{f, size}, f.Truncate(size)
}

// WriteAt takes bytes of the disk, in any order.
func (r *Raw) WriteAt(p []byte, off int64) (int, error) {
	if err := checkRange("raw", len(p), off, r.size); err != nil {
		return 0, err
	}
	return r.f.WriteAt(p, off)
}

// Take passes a file on that holds what the disk begins with: see [volume.Taker].
func (r *Raw) Take(f *os.File, size int64) (bool, error) { return volume.Take(r.f, f, size) }

// Finish does nothing: the disk is complete when all is written.
func (r *Raw) Finish() error { return nil }

// Close does nothing.
func (r *Raw) Close() error { return nil }
