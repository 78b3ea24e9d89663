// Package parts reads files that are made of other ones.
package parts

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/drivebay/drivebay/image/filetree"
)

// Part is a part of a file and the number of zeros behind it.
type Part struct {
	Name string // what errors call it
	Size int64  // bytes
	Open filetree.Opener
	Pad  int64
}

// Bytes returns a part of the given bytes, which may no longer be changed.
func Bytes(name string, b []byte) Part {
	return Part{Name: name, Size: int64(len(b)), Open: func() (filetree.Content, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

// Reader reads parts one after the other, of which it holds one open.
type Reader struct {
	parts []Part // what is left; the first is open where open is not nil
	open  io.ReadCloser
	left  int64 // of the open part
	pad   int64 // zeros before the next part
}

// NewReader returns a reader of parts, which has to be closed.
func NewReader(parts ...Part) *Reader { return &Reader{parts: parts} }

// Read reads on. A part that is shorter or longer than it was is a
// filetree.ErrChanged.
func (r *Reader) Read(b []byte) (int, error) {
	for {
		switch {
		case len(b) == 0:
			return 0, nil
		case r.pad > 0:
			n := min(int64(len(b)), r.pad)
			clear(b[:n])
			r.pad -= n
			return int(n), nil
		case r.open != nil:
			n, err := r.read(b)
			if n > 0 || err != nil {
				return n, err
			}
		case len(r.parts) == 0:
			return 0, io.EOF
		default:
			open, err := r.parts[0].Open()
			if err != nil {
				return 0, err
			}
			r.open, r.left = open, r.parts[0].Size
		}
	}
}

// read reads of the open part, and closes it at its end.
func (r *Reader) read(b []byte) (int, error) {
	if r.left > 0 {
		n, err := r.open.Read(b[:min(int64(len(b)), r.left)])
		r.left -= int64(n)
		if errors.Is(err, io.EOF) && r.left > 0 {
			return n, r.changed("ends within")
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		return n, nil
	}
	if n, err := io.ReadFull(r.open, make([]byte, 1)); n > 0 {
		return 0, r.changed("goes on beyond")
	} else if !errors.Is(err, io.EOF) {
		return 0, err
	}
	r.pad = r.parts[0].Pad
	r.parts = r.parts[1:]
	return 0, r.Close()
}

func (r *Reader) changed(what string) error {
	p := &r.parts[0]
	return fmt.Errorf("%s: %w: it %s %d bytes", p.Name, filetree.ErrChanged, what, p.Size)
}

// Close closes what is open.
func (r *Reader) Close() error {
	if r.open == nil {
		return nil
	}
	open := r.open
	r.open = nil
	return open.Close()
}
