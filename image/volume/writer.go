package volume

import (
	"context"
	"fmt"
	"io"
)

// Sizes of the pipeline: large enough for the output's system calls to cost
// nothing beside the copying, small enough to stay in the second-level cache.
const (
	bufferSize  = 1 << 20
	bufferCount = 4
	// granule is the unit in which zeros are left out: the block size of the
	// file systems that the output will lie on.
	granule = 4096
)

// Sink takes what a [Writer] writes: an *os.File, or any other io.WriterAt.
// Offsets rise from call to call, but where a writer goes back after a
// [Writer.Flush], and what no call covers is zero.
type Sink interface {
	WriteAt(p []byte, off int64) (int, error)
}

// Writer writes a volume front to back. Gaps and runs of zeros are not written
// at all, so that they become holes.
//
// Behind it a goroutine empties one buffer while the next is filled, which lets
// the reading of a source and the writing of the output run on two CPUs. A
// Writer is for one goroutine.
type Writer struct {
	p          *pipeline
	base, size int64 // the volume's place in the sink, bytes
	off        int64 // the next byte, relative to base
}

// NewWriter returns a writer of a disk of size bytes that begins at offset 0 of
// sink. [Writer.Flush] has to be called when all is written, [Writer.Close] in
// any case.
func NewWriter(sink Sink, size int64) *Writer {
	return &Writer{p: newPipeline(sink), size: size}
}

// Section returns a writer of the volume of size bytes at off, which shares w's
// pipeline. Sections are written one after the other in ascending order, but that
// after a [Writer.Flush] any may follow; they are neither flushed nor closed.
func (w *Writer) Section(off, size int64) *Writer {
	return &Writer{p: w.p, base: w.base + off, size: size}
}

// Size returns the size of the volume in bytes.
func (w *Writer) Size() int64 { return w.size }

// Offset returns how far the volume is written, in bytes from its start.
func (w *Writer) Offset() int64 { return w.off }

// SkipTo moves on to off, an offset in bytes from the volume's start. What is
// skipped reads as zero. Going back is an error.
func (w *Writer) SkipTo(off int64) error {
	if off < w.off {
		return fmt.Errorf("volume: going back from offset %d to %d", w.off, off)
	}
	if off > w.size {
		return fmt.Errorf("volume: offset %d is past the volume's end at %d", off, w.size)
	}
	w.off = off
	return nil
}

// Write writes p at the current offset.
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.room(int64(len(p))); err != nil {
		return 0, err
	}
	n := 0
	for n < len(p) {
		buf, err := w.p.buffer(w.base + w.off)
		if err != nil {
			return n, err
		}
		c := copy(buf, p[n:])
		w.advance(c)
		n += c
	}
	return n, nil
}

// ReadN writes the next n bytes of r, which are read straight into the output's
// buffers. An r that ends early is io.ErrUnexpectedEOF.
func (w *Writer) ReadN(r io.Reader, n int64) error {
	if err := w.room(n); err != nil {
		return err
	}
	for n > 0 {
		buf, err := w.p.buffer(w.base + w.off)
		if err != nil {
			return err
		}
		c, err := io.ReadAtLeast(r, buf[:min(n, int64(len(buf)))], 1)
		w.advance(c)
		n -= int64(c)
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
	}
	return nil
}

// Flush waits until everything is written to the sink, and returns the first
// error of doing so.
func (w *Writer) Flush() error { return w.p.flush() }

// Close ends the writer's goroutine and drops what was not flushed. It may be
// called more than once.
func (w *Writer) Close() error { return w.p.close() }

// Written returns how many bytes have been handed to the sink so far: progress
// that leaves out holes. It may be called from any goroutine.
func (w *Writer) Written() int64 { return w.p.written.Load() }

// Err returns the first error of the sink, or ctx's error: what a loop over
// many files asks between two of them.
func (w *Writer) Err(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return w.p.err()
}

func (w *Writer) room(n int64) error {
	if n > w.size-w.off {
		return fmt.Errorf("volume: %d bytes at offset %d exceed the volume's %d", n, w.off, w.size)
	}
	return nil
}

func (w *Writer) advance(n int) {
	w.p.advance(n)
	w.off += int64(n)
}
