package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/internal/pending"
)

// fileOutput is a file of some format.
type fileOutput struct {
	name    string
	format  *format
	options *formatOptions
}

// prepare has what is compressed put together beside the output.
func (f *fileOutput) prepare(l *image.Layout) error {
	l.TempDir = cmp.Or(l.TempDir, filepath.Dir(f.name))
	return f.format.prepare(l)
}

func (f *fileOutput) fit(p *image.Plan) (*image.Plan, error) { return f.format.fit(p) }
func (f *fileOutput) close()                                 {}

func (f *fileOutput) write(ctx context.Context, p *image.Plan, o image.Options, beside *companions) (n int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("build %s: %w", f.name, err)
		}
	}()
	out, err := pending.Create(f.name)
	if err != nil {
		return 0, err
	}
	defer out.Discard()
	if err := beside.apart(out.Target()); err != nil {
		return 0, err
	}
	counted := &countedFile{File: out}
	w, err := f.format.open(counted, p, f.options)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	o.AnyOrder = f.format.anyOrder && !beside.watch()
	if err := p.WriteAt(ctx, beside.tee(w), o); err != nil {
		return 0, err
	}
	if err := w.Finish(); err != nil {
		return 0, err
	}
	if err := beside.complete(ctx); err != nil {
		return 0, err
	}
	return counted.n, out.Publish(o.Sync)
}

// countedFile counts what is written to a file. The count is there when the writer
// has finished: formats write by goroutines of their own.
type countedFile struct {
	*pending.File
	n int64
}

func (c *countedFile) Write(p []byte) (int, error) {
	n, err := c.File.Write(p)
	c.n += int64(n)
	return n, err
}

func (c *countedFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := c.File.WriteAt(p, off)
	c.n += int64(n)
	return n, err
}

func (c *countedFile) Take(f *os.File, size int64) (bool, error) {
	taken, err := c.File.Take(f, size)
	if taken {
		c.n += size
	}
	return taken, err
}

// streamOutput is standard output.
type streamOutput struct {
	w       io.Writer
	format  *format
	options *formatOptions
}

func (s *streamOutput) prepare(l *image.Layout) error          { return s.format.prepare(l) }
func (s *streamOutput) fit(p *image.Plan) (*image.Plan, error) { return s.format.fit(p) }
func (s *streamOutput) close()                                 {}

func (s *streamOutput) write(ctx context.Context, p *image.Plan, o image.Options, beside *companions) (int64, error) {
	n, err := abandon(ctx, func() (int64, error) { return s.stream(ctx, p, o) })
	if err != nil {
		return n, fmt.Errorf("write to standard output: %w", err)
	}
	return n, beside.complete(ctx)
}

// stream writes the image front to back.
func (s *streamOutput) stream(ctx context.Context, p *image.Plan, o image.Options) (int64, error) {
	if s.format == formats[0] {
		return p.Stream(ctx, s.w, o)
	}
	counted := &countedStream{w: s.w}
	w, err := s.format.open(counted, p, s.options)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	if err := p.WriteAt(ctx, w, o); err != nil {
		return 0, err
	}
	if err := w.Finish(); err != nil {
		return 0, err
	}
	return counted.n, nil
}

// countedStream counts what is written to a stream. The formats for streams do not
// call for what a stream cannot do.
type countedStream struct {
	w io.Writer
	n int64
	file
}

func (c *countedStream) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
