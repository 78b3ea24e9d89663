package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Raw is a content that is copied as it is.
type Raw struct {
	// Size is the number of bytes to copy.
	Size int64
	// Open opens what is copied. It is called each time that the image is
	// written.
	Open func() (io.ReadCloser, error)
}

// RawBytes returns a content of the given bytes, which may no longer be changed.
func RawBytes(data []byte) Raw {
	return Raw{
		Size: int64(len(data)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
	}
}

// RawFile returns the content of a file or block device. It is opened when the
// image is written; a regular file that has another size by then is an
// [filetree.ErrChanged].
func RawFile(name string) (Raw, error) {
	info, err := os.Stat(name) // before it is opened: a FIFO would wait for a writer
	if err != nil {
		return Raw{}, err
	}
	if info.IsDir() || info.Mode()&(os.ModeCharDevice|os.ModeNamedPipe|os.ModeSocket) != 0 {
		return Raw{}, fmt.Errorf("%s: is of type %s: want a regular file or a block device", name, info.Mode().Type())
	}
	open := func() (io.ReadCloser, error) { return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) }
	f, err := open()
	if err != nil {
		return Raw{}, err
	}
	defer f.Close()
	size, err := f.(io.Seeker).Seek(0, io.SeekEnd) // of a block device, Stat tells none
	if err != nil {
		return Raw{}, err
	}
	return Raw{Size: size, Open: open}, nil
}

// Plan makes Raw a [volume.Content].
func (r Raw) Plan(ctx context.Context, g volume.Geometry) (volume.Plan, error) {
	if r.Size < 0 || r.Open == nil {
		return nil, fmt.Errorf("raw content of %d bytes: want a size, and a function that opens it", r.Size)
	}
	if g.Size != 0 && r.Size > g.Size {
		return nil, &SizeError{Format: "raw", Size: g.Size, Need: r.Size, Resource: "bytes"}
	}
	return rawPlan{r}, nil
}

type rawPlan struct{ raw Raw }

// Info implements [volume.Plan].
func (p rawPlan) Info() volume.Info {
	return volume.Info{Format: "raw", Size: p.raw.Size, Used: p.raw.Size}
}

// Write implements [volume.Plan].
func (p rawPlan) Write(ctx context.Context, w *volume.Writer) error {
	r, err := p.raw.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	for left := p.raw.Size; left > 0; {
		n := min(left, 8*MiB) // between two looks at the context
		if err := w.ReadN(r, n); errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%s: %w: it ends within %d bytes", contentName(r), filetree.ErrChanged, p.raw.Size)
		} else if err != nil {
			return err
		}
		left -= n
		if err := w.Err(ctx); err != nil {
			return err
		}
	}
	if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 {
		return fmt.Errorf("%s: %w: it goes on beyond %d bytes", contentName(r), filetree.ErrChanged, p.raw.Size)
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// contentName returns what errors call a content: its file's name, if it has one.
func contentName(r io.Reader) string {
	if f, ok := r.(interface{ Name() string }); ok { // *os.File is one
		return f.Name()
	}
	return "raw content"
}
