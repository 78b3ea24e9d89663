package filetree

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/drivebay/drivebay/image/internal/tempfile"
)

// tarInput is an archive without its compression, that is read once from front
// to back, and at random as far as that.
type tarInput interface {
	io.Reader
	io.ReaderAt
	io.Closer
	// pos returns how many bytes have been read.
	pos() int64
	// finish reads what is behind the archive's end, to know that the whole of
	// it is sound.
	finish() error
}

// magics are the first bytes of compressed files.
var magics = []struct {
	magic string
	open  func(io.Reader) (io.ReadCloser, error)
}{
	{"\x1f\x8b", func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }},
	{magicZstd, openZstd},
	{"\xfd7zXZ\x00", func(r io.Reader) (io.ReadCloser, error) {
		x, err := xz.NewReader(r)
		return io.NopCloser(x), err
	}},
	{"BZh", func(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(bzip2.NewReader(r)), nil }},
}

const magicZstd = "\x28\xb5\x2f\xfd"

// isSkippable reports whether a zstd file begins with a frame that is not
// compressed data, as that of pzstd does (RFC 8878, 3.1.2).
func isSkippable(first []byte) bool {
	return len(first) >= 4 && first[0]&0xf0 == 0x50 && string(first[1:4]) == "\x2a\x4d\x18"
}

// zstdWindow is the largest window that is accepted, in bytes: that of zstd's own
// command without an option.
const zstdWindow = 128 << 20

func openZstd(r io.Reader) (io.ReadCloser, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// newTarInput returns the archive in r.
func newTarInput(r io.Reader) (tarInput, error) {
	start := int64(-1)
	at, ok := r.(io.ReaderAt)
	if s, seeks := r.(io.Seeker); ok && seeks {
		if pos, err := s.Seek(0, io.SeekCurrent); err == nil {
			start = pos // which a pipe, though an *os.File, has not got
		}
	}
	buf := bufio.NewReaderSize(r, 64<<10)
	first, err := buf.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(first) == 0 {
		return nil, fmt.Errorf("%w: the archive is empty", io.ErrUnexpectedEOF)
	}
	for _, m := range magics {
		if bytes.HasPrefix(first, []byte(m.magic)) || m.magic == magicZstd && isSkippable(first) {
			plain, err := m.open(buf)
			if err != nil {
				return nil, unexpected(err)
			}
			return newSpool(plain)
		}
	}
	if start >= 0 {
		return &randomInput{r: at, start: start}, nil
	}
	return newSpool(io.NopCloser(buf))
}

// randomInput is an archive that can be read at random, and is read in place.
type randomInput struct {
	r     io.ReaderAt
	start int64 // of the archive in r
	at    int64 // in the archive
	buf   []byte
	bufAt int64 // of buf in the archive
}

// headerLen is how much is read ahead: a few headers of small files, little
// enough where each is followed by a large one.
const headerLen = 8 << 10

// Read reads on where the last has ended, through a buffer of headers.
func (r *randomInput) Read(p []byte) (int, error) {
	if i := r.at - r.bufAt; i < 0 || i >= int64(len(r.buf)) {
		if cap(r.buf) == 0 {
			r.buf = make([]byte, headerLen)
		}
		n, err := r.r.ReadAt(r.buf[:headerLen], r.start+r.at)
		r.buf, r.bufAt = r.buf[:n], r.at
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, r.buf[r.at-r.bufAt:])
	r.at += int64(n)
	return n, nil
}

// Seek lets archive/tar pass over contents.
func (r *randomInput) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 {
		return 0, fs.ErrInvalid
	}
	r.at += offset
	return r.at, nil
}

// ReadAt reads at an offset in the archive.
func (r *randomInput) ReadAt(p []byte, off int64) (int, error) { return r.r.ReadAt(p, r.start+off) }

func (r *randomInput) pos() int64    { return r.at }
func (r *randomInput) finish() error { return nil }

// Close has nothing to close: what it reads is somebody else's.
func (r *randomInput) Close() error { return nil }

// spoolLen is how much of an archive is unpacked at a time, spoolPage the unit
// in which zeros are left out of the copy, in bytes.
const (
	spoolLen  = 256 << 10
	spoolPage = 4 << 10
)

// spool is an archive that is unpacked into a temporary file as it is read.
type spool struct {
	in   io.ReadCloser
	err  error // with which in has ended
	file *tempfile.File
	buf  []byte // what has been unpacked last
	at   int64  // read so far
	end  int64  // unpacked so far: that of buf
}

func newSpool(in io.ReadCloser) (*spool, error) {
	file, err := tempfile.Create("", "filetree")
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return &spool{in: in, file: file, buf: make([]byte, spoolLen)[:0]}, nil
}

// Read reads on where the last has ended, and unpacks what is not there yet.
func (s *spool) Read(p []byte) (int, error) {
	if s.at == s.end {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.buf[int64(len(s.buf))-(s.end-s.at):])
	s.at += int64(n)
	return n, nil
}

// fill unpacks another piece, and returns an error if there is none.
func (s *spool) fill() error {
	n := 0
	for n < spoolLen && s.err == nil {
		var k int
		k, s.err = s.in.Read(s.buf[n:spoolLen])
		n += k
	}
	if n == 0 {
		return s.err
	}
	s.buf = s.buf[:n]
	for at := 0; at < n; {
		size := dataRun(s.buf[at:])
		if size > 0 {
			if _, err := s.file.WriteAt(s.buf[at:at+size], s.end+int64(at)); err != nil {
				return err
			}
		}
		at += max(size, spoolPage)
	}
	s.end += int64(n)
	return nil
}

// dataRun returns how many bytes there are before the first page of zeros.
func dataRun(b []byte) int {
	var zeros [spoolPage]byte
	for at := 0; at < len(b); at += spoolPage {
		if page := b[at:min(at+spoolPage, len(b))]; bytes.Equal(page, zeros[:len(page)]) {
			return at
		}
	}
	return len(b)
}

// ReadAt reads what has been unpacked. What has been left out at its end may
// still be missing, and is an io.EOF, until finish.
func (s *spool) ReadAt(p []byte, off int64) (int, error) { return s.file.ReadAt(p, off) }

func (s *spool) pos() int64 { return s.at }

func (s *spool) finish() error {
	if s.err == nil {
		_, s.err = io.Copy(io.Discard, s.in)
	}
	if s.err != nil && s.err != io.EOF {
		return s.err
	}
	s.buf = nil
	return errors.Join(s.file.Truncate(s.end), s.closeInput())
}

// closeInput ends the unpacking.
func (s *spool) closeInput() error {
	if s.in == nil {
		return nil
	}
	err := s.in.Close()
	s.in = nil
	return err
}

// Close ends the unpacking and removes the copy.
func (s *spool) Close() error { return errors.Join(s.closeInput(), s.file.Close()) }
