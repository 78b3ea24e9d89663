package output

import (
	"bytes"
	"errors"
	"io"
)

// Reader reads the disk that is in a file of some format.
type Reader interface {
	io.ReaderAt
	// Size returns the size of the disk in bytes.
	Size() int64
	// Close gives up what the reader holds, but not the file, which is the caller's.
	Close() error
}

// ErrFormat reports a file of a format that is written here but not read. Programs
// convert it: qemu-img convert -O raw.
var ErrFormat = errors.New("format is not read")

// NewReader returns a reader of a file of size bytes, by what is in the file: of a
// qcow2, of zstd with a seek table, of a fixed VHD, and for all others, of what they
// hold. A dynamic VHD or a VHDX is an [ErrFormat].
func NewReader(r io.ReaderAt, size int64) (Reader, error) {
	start := make([]byte, 8)
	if err := readFull(r, start, 0); err != nil {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(start, []byte("QFI\xfb")):
		return NewQCOW2Reader(r)
	case bytes.HasPrefix(start, []byte("\x28\xb5\x2f\xfd")):
		return NewZstdReader(r, size)
	case string(start) == "conectix", string(start) == "vhdxfile":
		return nil, ErrFormat
	}
	if isFixedVHD(r, size) {
		size -= vhdFooterSize
	}
	return rawReader{io.NewSectionReader(r, 0, size)}, nil
}

// isFixedVHD reports whether a file ends with the footer of a fixed VHD.
func isFixedVHD(r io.ReaderAt, size int64) bool {
	footer := make([]byte, vhdFooterSize)
	if size <= vhdFooterSize {
		return false
	}
	if _, err := r.ReadAt(footer, size-vhdFooterSize); err != nil {
		return false
	}
	sum := be.Uint32(footer[64:])
	clear(footer[64:68])
	return string(footer[:8]) == "conectix" && sum == vhdChecksum(footer) &&
		be.Uint32(footer[60:]) == vhdTypeFixed && be.Uint64(footer[48:]) == uint64(size-vhdFooterSize)
}

// rawReader reads a disk as it is.
type rawReader struct{ *io.SectionReader }

// Close does nothing.
func (rawReader) Close() error { return nil }
