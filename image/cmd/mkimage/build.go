package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/drivebay/drivebay/image"
)

// buildOptions are the flags of mkimage build.
type buildOptions struct {
	out         string
	device      bool
	sync        bool
	json, quiet bool
	overrides
}

func buildCommand(f *flag.FlagSet) func(context.Context, env, []string) error {
	var o buildOptions
	f.StringVar(&o.out, "o", "", "")
	f.BoolVar(&o.device, "device", false, "")
	f.BoolVar(&o.sync, "sync", false, "")
	f.BoolVar(&o.json, "json", false, "")
	f.BoolVar(&o.quiet, "q", false, "")
	o.flags(f)
	return func(ctx context.Context, e env, args []string) error { return o.build(ctx, e, args[0]) }
}

func (o *buildOptions) build(ctx context.Context, e env, specName string) error {
	out, err := o.output(e)
	if err != nil {
		return err
	}
	defer out.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	progress := o.progress(e, cancel)
	defer progress.close()

	if o.out != "-" && specName != "-" {
		if err := apart(o.out, "the spec", specName); err != nil {
			return err
		}
	}
	progress.step("reading the sources of " + baseName(specName))
	d, err := o.describe(ctx, e, specName)
	if err != nil {
		return err
	}
	defer d.Close()
	p, err := o.plan(ctx, d, out, progress)
	if err != nil {
		return err
	}
	progress.plan(p)
	if ctx.Err() != nil {
		return context.Cause(ctx) // before a device loses what is on it
	}
	written, err := out.write(ctx, p, image.Options{Progress: progress.update, Sync: o.sync, RootHash: progress.rootHash})
	if err != nil {
		return err
	}
	return progress.done(o.out, p.Size, written)
}

// plan plans what is described for the output, and tells what has become of it.
func (o *buildOptions) plan(ctx context.Context, d *description, out output, progress *progress) (*image.Plan, error) {
	if o.out != "-" {
		if err := outside(o.out, d.sources); err != nil {
			return nil, err
		}
	}
	if err := out.prepare(d.Layout); err != nil {
		return nil, err
	}
	p, err := d.Plan(ctx)
	if err != nil {
		return nil, err
	}
	for _, line := range d.omitted() {
		progress.step(line)
	}
	return o.fit(out, p, progress)
}

// fit makes the plan one for the output, and tells where that is another one than
// the spec's.
func (o *buildOptions) fit(out output, p *image.Plan, progress *progress) (*image.Plan, error) {
	fitted, err := out.fit(p)
	if err == nil && fitted.Size != p.Size {
		progress.step(fmt.Sprintf("%s has %s, the spec a disk of %s: the backup partition table goes to the end of %s",
			o.out, formatBytes(fitted.Size), formatBytes(p.Size), o.out))
	}
	return fitted, err
}

func (o *buildOptions) progress(e env, failed func(error)) *progress {
	w := e.stderr
	switch {
	case o.quiet:
		return newProgress(io.Discard, modeQuiet, failed)
	case o.json && o.out != "-":
		return newProgress(e.stdout, modeJSON, failed)
	case o.json:
		return newProgress(w, modeJSON, failed)
	case isTerminal(w):
		return newProgress(w, modeLive, failed)
	}
	return newProgress(w, modeLines, failed)
}

// output is where an image goes.
type output interface {
	// prepare refuses a layout that it cannot take, and fills in what it knows.
	prepare(l *image.Layout) error
	// fit returns the plan for what it is, which may be larger than the plan.
	fit(p *image.Plan) (*image.Plan, error)
	// write writes the image and returns how many bytes it has put out.
	write(ctx context.Context, p *image.Plan, o image.Options) (int64, error)
	// close gives up what is held. It may be called at any time.
	close()
}

// output chooses by the name of the output. A device is opened here, so that a
// device in use is refused before the sources are read.
func (o *buildOptions) output(e env) (output, error) {
	switch {
	case o.out == "":
		return nil, usageError{err: errors.New("no output: want -o and a file, - for standard output, or a device")}
	case o.json && o.quiet:
		return nil, usageError{err: errors.New("both --json and -q: want one of them")}
	case o.out == "-" && o.device:
		return nil, usageError{err: errors.New("--device with the output -: want the name of a device")}
	case o.out == "-":
		if isTerminal(e.stdout) {
			return nil, usageError{err: errors.New("standard output is a terminal: want it to be a file or a pipe")}
		}
		return streamOutput{e.stdout}, nil
	case o.device:
		return openDevice(o.out)
	}
	info, err := os.Stat(o.out)
	switch {
	case err == nil && info.Mode()&os.ModeDevice != 0 && info.Mode()&os.ModeCharDevice == 0:
		return nil, usageError{err: fmt.Errorf("%s is a device: to overwrite it and lose all that is on it, give --device as well", o.out)}
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s exists and is not a regular file", o.out)
	case strings.HasSuffix(o.out, ".zst"):
		return zstdOutput{o.out}, nil
	}
	return fileOutput{o.out}, nil
}

// fileOutput is a sparse file.
type fileOutput struct{ name string }

func (fileOutput) prepare(*image.Layout) error            { return nil }
func (fileOutput) fit(p *image.Plan) (*image.Plan, error) { return p, nil }
func (fileOutput) close()                                 {}

func (f fileOutput) write(ctx context.Context, p *image.Plan, o image.Options) (int64, error) {
	count := int64(0)
	report := o.Progress
	o.Progress = func(p image.Progress) { // called by one goroutine, which has ended when Build returns
		count = p.Done
		report(p)
	}
	err := p.Build(ctx, f.name, o)
	return count, err
}

// streamOutput is standard output.
type streamOutput struct{ w io.Writer }

func (streamOutput) prepare(*image.Layout) error            { return nil }
func (streamOutput) fit(p *image.Plan) (*image.Plan, error) { return p, nil }
func (streamOutput) close()                                 {}

func (s streamOutput) write(ctx context.Context, p *image.Plan, o image.Options) (int64, error) {
	n, err := abandon(ctx, func() (int64, error) { return p.Stream(ctx, s.w, o) })
	if err != nil {
		err = fmt.Errorf("write to standard output: %w", err)
	}
	return n, err
}
