package initramfs

import (
	"errors"
	"fmt"
	"io"
)

// Reader reads an archive name by name, also one that others have written.
type Reader struct {
	r    *countingReader
	body io.LimitedReader
	done bool
}

// NewReader returns a reader of the archive that begins where r is. It reads
// small pieces: give it something buffered.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: &countingReader{r: r}}
}

// Next goes to the next name and returns it with its mode, device number and
// size; Data is nil: the content is what [Reader.Read] gives until Next is called
// again. The end of the archive is io.EOF; what follows it in r is not read.
// Bytes that are not newc are [ErrFormat], a cut-off archive is
// io.ErrUnexpectedEOF.
func (r *Reader) Next() (string, Entry, error) {
	name, e, err := r.next()
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read initramfs at byte %d: %w", r.r.n, err)
	}
	return name, e, err
}

func (r *Reader) next() (string, Entry, error) {
	if r.done {
		return "", Entry{}, io.EOF
	}
	if err := r.skip(); err != nil {
		return "", Entry{}, err
	}
	h, err := readHeader(r.r)
	if err != nil {
		return "", Entry{}, unexpected(err)
	}
	if h.NameSize < 2 || h.NameSize > MaxName+1 {
		return "", Entry{}, fmt.Errorf("%w: a name of %d bytes, want 2 to %d", ErrFormat, h.NameSize, MaxName+1)
	}
	name := make([]byte, h.NameSize)
	if _, err := io.ReadFull(r.r, name); err != nil {
		return "", Entry{}, unexpected(err)
	}
	if name[len(name)-1] != 0 {
		return "", Entry{}, fmt.Errorf("%w: the name %q does not end with a NUL", ErrFormat, name)
	}
	if err := r.r.pad(); err != nil {
		return "", Entry{}, unexpected(err)
	}
	if string(name[:len(name)-1]) == trailer {
		r.done = true
		return "", Entry{}, io.EOF
	}
	mode, err := fileMode(h.Mode)
	if err != nil {
		return "", Entry{}, err
	}
	r.body = io.LimitedReader{R: r.r, N: int64(h.FileSize)}
	return string(name[:len(name)-1]), Entry{
		Mode: mode, Size: int64(h.FileSize), Major: h.RdevMajor, Minor: h.RdevMinor,
	}, nil
}

// Read reads from the content of the name that Next has returned.
func (r *Reader) Read(p []byte) (int, error) {
	if r.body.N == 0 {
		return 0, io.EOF
	}
	n, err := r.body.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// skip passes what is left of a content, and its padding.
func (r *Reader) skip() error {
	if _, err := io.Copy(io.Discard, &r.body); err != nil {
		return err
	}
	if r.body.N > 0 {
		return io.ErrUnexpectedEOF
	}
	return unexpected(r.r.pad())
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// countingReader knows where in the archive it is.
type countingReader struct {
	r io.Reader
	n int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.n += int64(n)
	return n, err
}

func (r *countingReader) pad() error {
	var b [align]byte
	_, err := io.ReadFull(r, b[:-r.n&(align-1)])
	return err
}
