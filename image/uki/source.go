package uki

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/parts"
	"github.com/drivebay/drivebay/image/internal/pecoff"
)

// Source is where a part of an image comes from. Its zero value is a part that
// there is none of.
type Source struct {
	// Name is what errors call it.
	Name string
	// Size is its length in bytes.
	Size int64
	// Open opens it, several times for each time that the image is written.
	Open filetree.Opener
}

// File returns the source of a regular file's content. Its size is settled here;
// a file that has another by the time it is read is a [filetree.ErrChanged].
func File(name string) (Source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Source{}, err
	}
	if !info.Mode().IsRegular() {
		return Source{}, fmt.Errorf("%s: is of type %s: want a regular file", name, info.Mode().Type())
	}
	return Source{Name: name, Size: info.Size(), Open: func() (filetree.Content, error) { return os.Open(name) }}, nil
}

// Bytes returns a source of the given bytes, which may no longer be changed.
func Bytes(name string, data []byte) Source {
	p := parts.Bytes(name, data)
	return Source{Name: p.Name, Size: p.Size, Open: p.Open}
}

// check refuses a source that cannot be a part of an image.
func (s *Source) check(needed bool) error {
	switch {
	case s.Open == nil && (needed || s.Name != "" || s.Size != 0):
		return errors.New("there is none, want a source that can be opened")
	case s.Open != nil && s.Size <= 0:
		return fmt.Errorf("it has %d bytes, want more than 0", s.Size)
	case s.Size > pecoff.MaxSize:
		return fmt.Errorf("%w: it has %d bytes, want at most %d", ErrTooLarge, s.Size, int64(pecoff.MaxSize))
	}
	return nil
}

// head returns the first n bytes of the source, or all where it has less.
func (s *Source) head(n int64) ([]byte, error) {
	r, err := s.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, min(n, s.Size))
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("read the first %d bytes: %w", len(b), err)
	}
	return b, nil
}
