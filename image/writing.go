package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

// writing is one time that a plan is written.
type writing struct {
	plan     *Plan
	sink     volume.Sink
	meter    *meter
	rootHash func(RootHash)
	// hashers make the hash trees, and trees are those that are complete, by index.
	hashers []*verity.Hasher
	trees   []*verity.Tree
}

func newWriting(p *Plan, sink volume.Sink, o Options) *writing {
	w := &writing{
		plan: p, sink: sink, meter: &meter{sink: sink, report: o.Progress}, rootHash: o.RootHash,
		hashers: make([]*verity.Hasher, len(p.trees)), trees: make([]*verity.Tree, len(p.trees)),
	}
	for _, part := range p.Partitions {
		w.meter.now.Total += part.Volume.Used
	}
	return w
}

// close gives up the hash trees.
func (w *writing) close() {
	for i := range w.trees {
		if w.hashers[i] != nil {
			_ = w.hashers[i].Close()
		}
		if w.trees[i] != nil {
			_ = w.trees[i].Close()
		}
	}
}

// goesBack reports whether something needs the hash tree of what comes behind it.
func (p *Plan) goesBack() bool {
	made := map[int]bool{}
	for _, r := range p.regions {
		for _, t := range r.needs {
			if !made[t] {
				return true
			}
		}
		if r.tree > 0 {
			made[r.tree-1] = true
		}
	}
	return false
}

// hash makes the hash trees, and writes nothing.
func (w *writing) hash(ctx context.Context) error {
	w.meter.sink = nowhere{}
	defer func() { w.meter.sink = w.sink }()
	for _, t := range w.plan.trees {
		w.meter.now.Total += w.plan.Partitions[t.data].Volume.Used
	}
	return w.pass(func(out *volume.Writer) error {
		for _, r := range w.plan.regions {
			if r.tree == 0 {
				continue
			}
			r.name += ", to be hashed"
			if err := w.region(ctx, out, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// nowhere is a sink that forgets.
type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// write writes all regions in their order, but for those that have to wait for a
// hash tree, which come last.
func (w *writing) write(ctx context.Context) error {
	return w.pass(func(out *volume.Writer) error {
		var late []region
		for _, r := range w.plan.regions {
			if !w.isReady(r) {
				late = append(late, r)
			} else if err := w.region(ctx, out, r); err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil { // before it goes back
			return err
		}
		for _, r := range late {
			if err := w.region(ctx, out, r); err != nil {
				return err
			}
		}
		return out.Flush()
	})
}

// pass writes to the sink what do writes, and hashes it on the way.
func (w *writing) pass(do func(*volume.Writer) error) error {
	sink := volume.Sink(w.meter)
	if len(w.plan.trees) > 0 {
		t, err := w.tee()
		if err != nil {
			return err
		}
		sink = t
	}
	out := volume.NewWriter(sink, w.plan.Size)
	defer out.Close()
	return do(out)
}

// tee returns a sink that begins the hash trees.
func (w *writing) tee() (*tee, error) {
	t := &tee{sink: w.meter, errs: make([]error, len(w.plan.trees))}
	for i, tree := range w.plan.trees {
		h, err := tree.tree.NewHasher()
		if err != nil {
			return nil, err
		}
		w.hashers[i] = h
		part := &w.plan.Partitions[tree.data]
		t.parts = append(t.parts, hashedPart{part.Start, part.End(), h})
	}
	return t, nil
}

// isReady reports whether all is there that a region needs.
func (w *writing) isReady(r region) bool {
	for _, t := range r.needs {
		if w.trees[t] == nil {
			return false
		}
	}
	return true
}

// region writes a region, and completes its hash tree if it has one.
func (w *writing) region(ctx context.Context, out *volume.Writer, r region) (err error) {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	section := out.Section(r.offset, r.size)
	switch {
	case r.derive != nil:
		w.meter.enter(r)
		err = r.derive(ctx, section, w.trees)
	case r.write != nil:
		w.meter.enter(r)
		err = r.write(ctx, section)
	}
	if err == nil && r.tree > 0 {
		if err = out.Flush(); err == nil {
			err = w.complete(r.tree - 1)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	return nil
}

// complete takes the hash tree of what has been written. That of a second pass has
// to be the first one's.
func (w *writing) complete(i int) error {
	t, err := w.hashers[i].Tree()
	if err != nil {
		return err
	}
	if first := w.trees[i]; first != nil {
		if !bytes.Equal(first.RootHash(), t.RootHash()) {
			err = fmt.Errorf("%w: its root hash is %s where it was %s before", filetree.ErrChanged, t.RootHash(), first.RootHash())
		}
		return errors.Join(err, t.Close())
	}
	w.trees[i] = t
	if w.rootHash != nil {
		tree := w.plan.trees[i]
		w.rootHash(RootHash{Partition: tree.hash + 1, Data: tree.data + 1, Hash: t.RootHash()})
	}
	return nil
}

// tee is a sink that has what passes through it hashed.
type tee struct {
	sink  volume.Sink
	parts []hashedPart
	errs  []error // of hashing these
}

// hashedPart is a part of the disk, from start to end, that is hashed.
type hashedPart struct {
	start, end int64
	hasher     *verity.Hasher
}

// WriteAt writes and hashes at the same time.
func (t *tee) WriteAt(p []byte, off int64) (n int, err error) {
	var wg sync.WaitGroup
	for i, part := range t.parts {
		from, to := max(off, part.start), min(off+int64(len(p)), part.end)
		if from < to {
			wg.Go(func() { _, t.errs[i] = part.hasher.WriteAt(p[from-off:to-off], from-part.start) })
		}
	}
	n, err = t.sink.WriteAt(p, off)
	wg.Wait()
	return n, errors.Join(append(t.errs, err)...)
}
