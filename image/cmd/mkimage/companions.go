package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/internal/pending"
	"github.com/drivebay/drivebay/image/output"
	"github.com/drivebay/drivebay/image/spec"
	"github.com/drivebay/drivebay/image/volume"
)

// companionOptions are the flags that ask for files beside the image.
type companionOptions struct {
	bmap, split bool
	manifest    string
}

// companions are the files that are made beside an image, while it is written: the
// map of it, its partitions. They appear when all are complete.
type companions struct {
	files   []*companion
	sources []spec.Source
}

// companion is a file that is made beside an image.
type companion struct {
	*pending.File
	// sink gets the disk as it is written, nil for nothing.
	sink volume.Sink
	// complete writes what can be written when the disk is, nil for nothing.
	complete func(ctx context.Context, w *bufio.Writer) error
}

// companions creates the files, which have to be discarded in any case.
func (o *buildOptions) companions(p *image.Plan, d *description) (*companions, error) {
	c := &companions{sources: d.sources}
	var err error
	if o.bmap {
		err = c.addBmap(p, o.format.base(o.out)+".bmap")
	}
	if err == nil && o.split {
		err = c.addSplit(p, d.splitNames(), stem(o.format.base(o.out)))
	}
	if err == nil && o.manifest != "" {
		err = c.addManifest(p, d, o)
	}
	if err != nil {
		c.discard()
		return nil, err
	}
	return c, nil
}

// apart refuses files that would take the place of one another, or of the image.
func (c *companions) apart(out string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	owners := map[string]bool{out: true}
	for _, f := range c.files {
		name, err := filepath.Abs(f.Target())
		if err != nil {
			return err
		}
		if owners[name] {
			return usageError{err: fmt.Errorf("two outputs would be called %s: want other names", name)}
		}
		owners[name] = true
	}
	return nil
}

// add creates a file, unless it would be in the way of the sources.
func (c *companions) add(name string, f *companion) error {
	err := outside(name, c.sources)
	if err == nil {
		f.File, err = pending.Create(name)
	}
	if err == nil {
		c.files = append(c.files, f)
	}
	return err
}

// addBmap adds the map of what has to be copied.
func (c *companions) addBmap(p *image.Plan, name string) error {
	m, err := output.NewBmap(p.Size, p.Extents())
	if err != nil {
		return err
	}
	return c.add(name, &companion{sink: m, complete: func(_ context.Context, w *bufio.Writer) error {
		_, err := m.WriteTo(w)
		return err
	}})
}

// addSplit adds the partitions that have a name, as files of their own.
func (c *companions) addSplit(p *image.Plan, names []string, stem string) error {
	for i, part := range p.Partitions {
		if names[i] == "" {
			continue
		}
		if strings.ContainsAny(names[i], "/\\\x00") {
			return fmt.Errorf("--split: partition %d is called %q: want a name that a file can have", part.Number, names[i])
		}
		f := &companion{}
		if err := c.add(stem+"."+names[i]+".raw", f); err != nil {
			return err
		}
		if err := f.Truncate(part.Size); err != nil {
			return err
		}
		f.sink = &output.Part{Offset: part.Start, Size: part.Size, Sink: f.File}
	}
	return nil
}

// stem returns the name of an image without its last part, so that partitions of
// disk.img are called disk.root.raw.
func stem(name string) string {
	for _, suffix := range []string{".img", ".raw"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && filepath.Base(name) != suffix {
			return base
		}
	}
	return name
}

// watch reports whether there is anything that wants to see the disk in order.
func (c *companions) watch() bool {
	for _, f := range c.files {
		if f.sink != nil {
			return true
		}
	}
	return false
}

// tee returns a sink that passes what is written to w on to the companions.
func (c *companions) tee(w volume.Sink) volume.Sink {
	if !c.watch() {
		return w
	}
	t := output.Tee{w}
	for _, f := range c.files {
		if f.sink != nil {
			t = append(t, f.sink)
		}
	}
	return t
}

// complete writes what is left. Nothing is to appear after a signal.
func (c *companions) complete(ctx context.Context) error {
	for _, f := range c.files {
		if f.complete == nil {
			continue
		}
		w := bufio.NewWriter(f)
		if err := errors.Join(f.complete(ctx, w), w.Flush()); err != nil {
			return fmt.Errorf("%s: %w", f.Target(), err)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// publish gives the files their names.
func (c *companions) publish(durable bool) error {
	for _, f := range c.files {
		if err := f.Publish(durable); err != nil {
			return err
		}
	}
	return nil
}

// discard gives up what has not been published. It may be called at any time.
func (c *companions) discard() {
	for _, f := range c.files {
		f.Discard()
	}
}
