package image

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/pending"
	"github.com/drivebay/drivebay/image/volume"
)

// Options are what a build may be told. The zero value will do.
type Options struct {
	// Progress, where it is not nil, is called from time to time while the image
	// is written, mostly from another goroutine than the caller's, never twice at
	// once.
	Progress func(Progress)
	// Sync makes the build wait until the image is on stable storage, so that
	// a power cut after it cannot take the image away.
	Sync bool
	// AnyOrder tells [Plan.WriteAt] that its sink can be written in any order, as a
	// file can. It matters for images with hash trees only.
	AnyOrder bool
	// RootHash, where it is not nil, is called for each hash tree (verity.HashTree)
	// when its root is known, by the caller's goroutine.
	RootHash func(RootHash)
}

// Progress is how far a build has come.
type Progress struct {
	// Region is what is being written: "partition 1 (esp)". What is read but to be
	// hashed, since the output only goes forward, is "partition 2 (root), to be
	// hashed".
	Region string
	// Done and Total count the bytes of data, without what stays a hole. Total
	// is an estimate until Done reaches it.
	Done, Total int64
}

// Build plans the layout and writes the image to the file name: see
// [Plan.Build].
func Build(ctx context.Context, name string, l Layout, o Options) (*Plan, error) {
	l.TempDir = cmp.Or(l.TempDir, filepath.Dir(name))
	p, err := l.Plan(ctx)
	if err != nil {
		return nil, err
	}
	return p, p.Build(ctx, name, o)
}

// Build writes the image to the regular file name, sparsely. The file appears
// under its name when it is complete, in place of what was there; until then,
// and after an error, nothing of it is to be seen. On Linux that holds for a
// process that is killed, too.
func (p *Plan) Build(ctx context.Context, name string, o Options) error {
	f, err := pending.Create(name)
	if err != nil {
		return fmt.Errorf("build %s: %w", name, err)
	}
	defer f.Discard()
	if err := f.Truncate(p.Size); err != nil {
		return fmt.Errorf("build %s: %w", name, err)
	}
	o.AnyOrder = true
	if err := p.WriteAt(ctx, f, o); err != nil {
		return fmt.Errorf("build %s: %w", name, err)
	}
	if err := f.Publish(o.Sync); err != nil {
		return fmt.Errorf("build %s: %w", name, err)
	}
	return nil
}

// WriteAt writes the image to sink, which has to read as zeros at first: a new
// file that has been truncated to the plan's Size, a memfd. What is zero is not
// written. Offsets only rise. A sink that is a [volume.Taker] may be given a file
// in place of what begins the image.
//
// What comes of a root hash, such as the partition table with its IDs, cannot be
// written before all that is hashed has been read. With Options.AnyOrder it is
// written last. Without, all that is hashed is read twice: first to be hashed, then
// to be written; an [filetree.ErrChanged] tells that it was not the same again.
func (p *Plan) WriteAt(ctx context.Context, sink volume.Sink, o Options) (err error) {
	defer filetree.Recover(&err)
	w := newWriting(p, sink, o)
	defer w.close()
	if !o.AnyOrder && p.goesBack() {
		if err := w.hash(ctx); err != nil {
			return err
		}
	}
	return w.write(ctx)
}

// WriteTo writes the image to w as [Plan.Stream] does. It makes a plan an
// io.WriterTo.
func (p *Plan) WriteTo(w io.Writer) (int64, error) {
	return p.Stream(context.Background(), w, Options{})
}

// Stream writes the image to w as a stream of Size bytes, with its zeros. It
// returns how many bytes were written. A context that ends does not end a Write
// of w. What is hashed is read twice: see [Plan.WriteAt].
func (p *Plan) Stream(ctx context.Context, w io.Writer, o Options) (int64, error) {
	s := &stream{w: w}
	o.AnyOrder = false
	err := p.WriteAt(ctx, s, o)
	if err == nil {
		err = s.skipTo(p.Size)
	}
	return s.off, err
}

// stream is the sink of a writer that cannot seek.
type stream struct {
	w   io.Writer
	off int64
}

// WriteAt writes zeros up to off, and p behind them; off never goes back.
func (s *stream) WriteAt(p []byte, off int64) (int, error) {
	if err := s.skipTo(off); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	s.off += int64(n)
	return n, err
}

var zeros [64 << 10]byte

func (s *stream) skipTo(off int64) error {
	for s.off < off {
		n, err := s.w.Write(zeros[:min(off-s.off, int64(len(zeros)))])
		s.off += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}
