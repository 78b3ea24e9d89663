package uki

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/drivebay/drivebay/image/filetree"
)

// part is a part of a file and the number of zeros behind it.
type part struct {
	source Source
	pad    int64
}

// assembly is an image of which the place of every byte is known.
type assembly struct {
	stub     []byte // without a checksum
	checksum int    // where that is in the stub
	parts    []part // the first is the stub
	size     int64
}

// open opens the image. The checksum at its head is of all of it, so that the
// parts are read once more before.
func (a *assembly) open() (filetree.Content, error) {
	sum := checksum{}
	r := &reader{parts: a.parts}
	_, err := io.Copy(&sum, r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	stub := append([]byte(nil), a.stub...)
	binary.LittleEndian.PutUint32(stub[a.checksum:], sum.value())
	parts := append([]part{{source: Bytes("stub", stub), pad: a.parts[0].pad}}, a.parts[1:]...)
	return &reader{parts: parts}, nil
}

// reader reads parts one after the other, of which it holds one open.
type reader struct {
	parts []part // what is left; the first is open where open is not nil
	open  io.ReadCloser
	left  int64 // of the open part
	pad   int64 // zeros before the next part
}

// Read reads on. A part that is shorter or longer than it was is a
// filetree.ErrChanged.
func (r *reader) Read(b []byte) (int, error) {
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
			open, err := r.parts[0].source.Open()
			if err != nil {
				return 0, err
			}
			r.open, r.left = open, r.parts[0].source.Size
		}
	}
}

// read reads of the open part, and closes it at its end.
func (r *reader) read(b []byte) (int, error) {
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
	r.pad = r.parts[0].pad
	r.parts = r.parts[1:]
	return 0, r.Close()
}

func (r *reader) changed(what string) error {
	s := r.parts[0].source
	return fmt.Errorf("%s: %w: it %s %d bytes", s.Name, filetree.ErrChanged, what, s.Size)
}

// Close closes what is open.
func (r *reader) Close() error {
	if r.open == nil {
		return nil
	}
	open := r.open
	r.open = nil
	return open.Close()
}
