package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/internal/pending"
)

// chunkSize is how much of an image is a frame of its own, in bytes. Frames are
// independent of one another, so that they can be compressed at the same time and
// come out the same on any number of CPUs; a decoder takes them for one stream
// (RFC 8878, 3). Larger ones would hardly compress better: it is the default
// window.
const chunkSize = 4 << 20

// zstdOutput is a compressed file.
type zstdOutput struct{ name string }

func (zstdOutput) prepare(*image.Layout) error            { return nil }
func (zstdOutput) fit(p *image.Plan) (*image.Plan, error) { return p, nil }
func (zstdOutput) close()                                 {}

func (z zstdOutput) write(ctx context.Context, p *image.Plan, o image.Options) (n int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("build %s: %w", z.name, err)
		}
	}()
	f, err := pending.Create(z.name)
	if err != nil {
		return 0, err
	}
	defer f.Discard()
	c, err := newCompressor(f, p.Size, min(runtime.GOMAXPROCS(0), 8))
	if err != nil {
		return 0, err
	}
	err = p.WriteAt(ctx, c, o)
	if n, err := c.close(err); err != nil {
		return n, err
	}
	if err := f.Publish(o.Sync); err != nil {
		return 0, err
	}
	return c.out, nil
}

// compressor is a sink that compresses what is written to it, in chunks. Its
// memory is two chunks for each worker.
type compressor struct {
	w       io.Writer
	size    int64 // of the image
	enc     *zstd.Encoder
	zeros   []byte // a chunk of zeros, compressed
	buffers sync.Pool

	chunk []byte // the current one, nil while it is all zeros
	pos   int64  // where it begins

	queue chan chan []byte // frames in their order, to be made
	done  chan struct{}
	out   int64 // bytes written
	err   error // of writing; to be read when done is closed
	stop  chan struct{}
}

func newCompressor(w io.Writer, size int64, workers int) (*compressor, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(workers), zstd.WithWindowSize(chunkSize))
	if err != nil {
		return nil, err
	}
	c := &compressor{
		w: w, size: size, enc: enc,
		queue: make(chan chan []byte, workers),
		done:  make(chan struct{}), stop: make(chan struct{}),
	}
	c.buffers.New = func() any { return new([chunkSize]byte) }
	c.zeros = enc.EncodeAll(make([]byte, chunkSize), nil)
	go c.run()
	return c, nil
}

// WriteAt takes bytes at an offset that only rises.
func (c *compressor) WriteAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		for off >= c.pos+chunkSize {
			if err := c.submit(); err != nil {
				return n, err
			}
		}
		if c.chunk == nil {
			buf := c.buffers.Get().(*[chunkSize]byte)
			clear(buf[:])
			c.chunk = buf[:]
		}
		k := copy(c.chunk[off-c.pos:], p[n:])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

var errStopped = errors.New("the output has failed")

// submit hands the current chunk to be compressed and goes on to the next.
func (c *compressor) submit() error {
	chunk, length := c.chunk, min(chunkSize, c.size-c.pos)
	c.chunk, c.pos = nil, c.pos+length
	frame := make(chan []byte, 1)
	select {
	case c.queue <- frame:
	case <-c.stop:
		return errStopped
	}
	switch {
	case chunk == nil && length == chunkSize:
		frame <- c.zeros
	case chunk == nil:
		frame <- c.enc.EncodeAll(make([]byte, length), nil)
	default:
		go func() {
			frame <- c.enc.EncodeAll(chunk[:length], nil)
			c.buffers.Put((*[chunkSize]byte)(chunk))
		}()
	}
	return nil
}

// run writes the frames in their order.
func (c *compressor) run() {
	defer close(c.done)
	for frame := range c.queue {
		b := <-frame
		if c.err != nil {
			continue
		}
		n, err := c.w.Write(b)
		c.out += int64(n)
		if err != nil {
			c.err = err
			close(c.stop)
		}
	}
}

// close writes what is left of the image, unless it is given the error of writing
// it, and returns the number of bytes written and the first error.
func (c *compressor) close(err error) (int64, error) {
	for err == nil && c.pos < c.size {
		err = c.submit()
	}
	close(c.queue)
	<-c.done
	if c.err != nil {
		err = c.err // the cause of what the writers have seen
	}
	return c.out, err
}
