package squashfs

import (
	"fmt"
	"io"

	"github.com/drivebay/drivebay/image/internal/tempfile"
	"github.com/drivebay/drivebay/image/volume"
)

// spoolBuffer is how much is written to a spool at once, in bytes.
const spoolBuffer = 512 << 10

// spool is a temporary file that an image is put together in, as it will lie on
// its volume.
type spool struct {
	file *tempfile.File
	off  int64  // of buf
	buf  []byte // still to be written
}

func newSpool(dir string) (*spool, error) {
	f, err := tempfile.Create(dir, "squashfs")
	if err != nil {
		return nil, fmt.Errorf("squashfs: temporary file: %w", err)
	}
	return &spool{file: f, buf: make([]byte, 0, spoolBuffer)}, nil
}

// pos returns where the next byte will be.
func (s *spool) pos() int64 { return s.off + int64(len(s.buf)) }

func (s *spool) write(p []byte) error {
	for len(p) > 0 {
		if len(s.buf) == cap(s.buf) {
			if err := s.flush(); err != nil {
				return err
			}
		}
		n := copy(s.buf[len(s.buf):cap(s.buf)], p)
		s.buf = s.buf[:len(s.buf)+n]
		p = p[n:]
	}
	return nil
}

// rewind forgets what was written from pos on.
func (s *spool) rewind(pos int64) {
	if pos >= s.off {
		s.buf = s.buf[:pos-s.off]
		return
	}
	s.off, s.buf = pos, s.buf[:0]
}

// flush writes what is still to be written to the file.
func (s *spool) flush() error {
	if _, err := s.file.WriteAt(s.buf, s.off); err != nil {
		return fmt.Errorf("squashfs: temporary file: %w", err)
	}
	s.off += int64(len(s.buf))
	s.buf = s.buf[:0]
	return nil
}

// finish ends the writing: the spool holds what was written, and nothing behind it.
func (s *spool) finish() error {
	if err := s.flush(); err != nil {
		return err
	}
	s.buf = nil
	if err := s.file.Truncate(s.off); err != nil {
		return fmt.Errorf("squashfs: temporary file: %w", err)
	}
	return nil
}

// section returns a reader of n bytes at off.
func (s *spool) section(off, n int64) io.Reader { return io.NewSectionReader(s.file, off, n) }

// give has the output take over the file, with head in the place that was left for
// it, and reports whether it did.
func (s *spool) give(w *volume.Writer, head []byte) (bool, error) {
	if _, err := s.file.WriteAt(head, 0); err != nil {
		return false, fmt.Errorf("temporary file: %w", err)
	}
	return w.Take(s.file.File, s.off)
}

// close gives the file back. It may be called again.
func (s *spool) close() error { return s.file.Close() }
