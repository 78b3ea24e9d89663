package filetree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Stream reads the content of a regular file once: it calls data for each range
// that holds data, in order, with a reader from which exactly that range has to
// be read. A file that turns out to be shorter or longer than the tree says, or
// has been written to since the tree was made, is an [ErrChanged]. All errors
// name the file.
func (n Node) Stream(data func(r io.Reader, at Range) error) (err error) {
	defer Recover(&err)
	c, err := n.Open()
	if err != nil {
		return err
	}
	defer c.Close()
	return n.readError(c, n.stream(c, data))
}

// readError names the file in an error of reading its content: where the system
// has a name for it, by that, since people look for it there.
func (n Node) readError(c Content, err error) error {
	if err == nil {
		return nil
	}
	name := n.Path()
	if s, ok := c.(interface{ Name() string }); ok { // *os.File is one
		name = s.Name()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: it is shorter than its %d bytes", ErrChanged, n.Size())
	}
	return &PathError{Op: "read", Path: name, Err: err}
}

func (n Node) stream(c Content, data func(r io.Reader, at Range) error) error {
	pos := int64(0)
	for at := range n.Data() {
		if err := skip(c, at.Offset-pos); err != nil {
			return err
		}
		if err := data(c, at); err != nil {
			return err
		}
		pos = at.End()
	}
	return n.atEnd(c, pos)
}

// atEnd checks that a content, read up to pos, behind which there is a hole or
// nothing at all, ends where the tree says, and is still what it was.
func (n Node) atEnd(c Content, pos int64) error {
	if u, ok := c.(unchanger); ok {
		return u.unchanged()
	}
	size := n.Size()
	if s, ok := c.(io.Seeker); ok && pos < size {
		// One can seek behind the end of a file that is too short.
		end, err := s.Seek(0, io.SeekEnd)
		if err == nil && end < size {
			err = io.ErrUnexpectedEOF
		} else if err == nil && end > size {
			err = n.longer()
		}
		return err
	}
	if err := skip(c, size-pos); err != nil {
		return err
	}
	if k, err := io.ReadFull(c, make([]byte, 1)); k > 0 {
		return n.longer()
	} else if err != io.EOF {
		return err
	}
	return nil
}

func (n Node) longer() error {
	return fmt.Errorf("%w: it is longer than its %d bytes", ErrChanged, n.Size())
}

// unchanger is a content that can tell whether it is what it was when the tree
// was made.
type unchanger interface {
	unchanged() error
}

// skip moves n bytes on in a content.
func skip(c Content, n int64) error {
	if n == 0 {
		return nil
	}
	if s, ok := c.(io.Seeker); ok {
		_, err := s.Seek(n, io.SeekCurrent)
		return err
	}
	k, err := io.CopyN(io.Discard, c, n)
	if err == io.EOF {
		return fmt.Errorf("%w after %d of %d bytes of a hole", io.ErrUnexpectedEOF, k, n)
	}
	return err
}

// inline is the source of nodes that were made in code.
type inline struct{}

func (inline) open(n Node) (Content, error) {
	open := n.t.contents[n.t.nodes.at(n.i).key]
	if open == nil {
		return &zeroContent{left: n.Size(), size: n.Size()}, nil
	}
	c, err := open()
	if err != nil {
		return nil, &PathError{Op: "open", Path: n.Path(), Err: err}
	}
	return c, nil
}

// zeroContent is the content of a file that has a size and nothing else: what
// is left of it to be read.
type zeroContent struct{ left, size int64 }

// Read fills p with zeros, up to the file's end.
func (z *zeroContent) Read(p []byte) (int, error) {
	if z.left <= 0 && len(p) > 0 {
		return 0, io.EOF
	}
	n := int(min(z.left, int64(len(p))))
	clear(p[:n])
	z.left -= int64(n)
	return n, nil
}

// Seek sets where the next Read begins.
func (z *zeroContent) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += z.size - z.left
	case io.SeekEnd:
		offset += z.size
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	z.left = z.size - offset
	return offset, nil
}

// Close has nothing to close.
func (*zeroContent) Close() error { return nil }
