package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// DifferenceError reports the first byte at which an image is not what its layout
// says. It is an [ErrDiffers].
type DifferenceError struct {
	// Name is the image's.
	Name string
	// Region is where the byte lies: "partition 2 (root)", "partition table", or
	// "outside the partitions". Offset is where in there, in bytes; outside, it is
	// DiskOffset.
	Region string
	Offset int64
	// DiskOffset is where on the disk the byte lies.
	DiskOffset int64
	// Want is what the layout says, Got what was read.
	Want, Got byte
}

// Error names the place and both bytes.
func (e *DifferenceError) Error() string {
	return fmt.Sprintf("%s: %v: %s: byte %d, at offset %d of the disk, is %#02x: want %#02x",
		e.Name, ErrDiffers, e.Region, e.Offset, e.DiskOffset, e.Got, e.Want)
}

// Unwrap returns [ErrDiffers].
func (e *DifferenceError) Unwrap() error { return ErrDiffers }

// Verify compares the image file or block device name with the layout: see
// [Plan.Verify].
func Verify(ctx context.Context, name string, l Layout, o Options) error {
	p, err := l.Plan(ctx)
	if err != nil {
		return err
	}
	return p.Verify(ctx, name, o)
}

// Verify compares the image file or block device name with the plan, byte for
// byte, and what the plan leaves unwritten with zeros; holes of the image are not
// read. The sources are read as they are for a build. An image that differs is an
// [ErrDiffers]: a [*DifferenceError], where its size is right. A device may be
// larger than the plan; what is behind it is not looked at.
//
// An image that has been mounted since it was built differs: file systems take
// notes. Compare the files then, by [Disk.FS] and filetree.Diff.
func (p *Plan) Verify(ctx context.Context, name string, o Options) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekEnd) // of a device, Stat tells none
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		size = min(size, p.Size)
	}
	return p.VerifyReaderAt(ctx, name, f, size, o)
}

// VerifyReaderAt is [Plan.Verify] for a disk of size bytes that r reads. Errors call
// it name.
func (p *Plan) VerifyReaderAt(ctx context.Context, name string, r io.ReaderAt, size int64, o Options) error {
	if size != p.Size {
		return fmt.Errorf("%s: %w: its size is %d bytes: want %d", name, ErrDiffers, size, p.Size)
	}
	c := &compareSink{ctx: ctx, plan: p, name: name, r: r}
	o.AnyOrder = false
	err := p.WriteAt(ctx, c, o)
	if err == nil {
		err = c.zeros(p.Size)
	}
	if c.found != nil {
		return c.found // whatever the writers made of it
	}
	if err != nil {
		return fmt.Errorf("verify %s: %w", name, err)
	}
	return nil
}

// compareSink compares what is written to it with an image.
type compareSink struct {
	ctx   context.Context
	plan  *Plan
	name  string
	r     io.ReaderAt
	pos   int64 // everything before it has been compared
	buf   []byte
	found *DifferenceError
}

// WriteAt compares, and fails at the first difference.
func (c *compareSink) WriteAt(p []byte, off int64) (int, error) {
	if err := c.zeros(off); err != nil {
		return 0, err
	}
	if err := c.compare(p, off); err != nil {
		return 0, err
	}
	c.pos = off + int64(len(p))
	return len(p), nil
}

// zeros compares all up to an offset with zeros.
func (c *compareSink) zeros(end int64) error {
	for c.pos < end {
		if c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
		start, stop := c.dataRange(end)
		for c.pos = start; c.pos < stop; {
			n := min(stop-c.pos, int64(len(zeros)))
			if err := c.compare(zeros[:n], c.pos); err != nil {
				return err
			}
			c.pos += n
		}
	}
	return nil
}

// dataRange returns the next range up to end that may hold data.
func (c *compareSink) dataRange(end int64) (start, stop int64) {
	if f, ok := c.r.(*os.File); ok {
		return dataRange(f, c.pos, end)
	}
	return c.pos, end
}

func (c *compareSink) compare(want []byte, off int64) error {
	if len(c.buf) < len(want) {
		c.buf = make([]byte, len(want))
	}
	got := c.buf[:len(want)]
	if n, err := c.r.ReadAt(got, off); n < len(got) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if bytes.Equal(want, got) {
		return nil
	}
	i := 0
	for want[i] == got[i] {
		i++
	}
	c.found = c.plan.difference(c.name, off+int64(i), want[i], got[i])
	return c.found
}

// difference returns the error of a byte that differs.
func (p *Plan) difference(name string, off int64, want, got byte) *DifferenceError {
	e := &DifferenceError{Name: name, Region: "outside the partitions", Offset: off, DiskOffset: off, Want: want, Got: got}
	for _, r := range p.regions {
		if off >= r.offset && off < r.end() {
			e.Region, e.Offset = r.name, off-r.offset
		}
	}
	return e
}
