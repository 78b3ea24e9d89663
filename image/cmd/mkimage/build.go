package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/spec"
)

// buildOptions are the flags of mkimage build.
type buildOptions struct {
	out         string
	device      bool
	sync        bool
	json, quiet bool
	format      *format // nil is by the name
	formatOptions
	companionOptions
	overrides
}

func buildCommand(f *flag.FlagSet) func(context.Context, env, []string) error {
	var o buildOptions
	f.StringVar(&o.out, "o", "", "")
	f.BoolVar(&o.device, "device", false, "")
	f.BoolVar(&o.sync, "sync", false, "")
	f.BoolVar(&o.json, "json", false, "")
	f.BoolVar(&o.quiet, "q", false, "")
	o.outputFlags(f)
	o.flags(f)
	return func(ctx context.Context, e env, args []string) error { return o.build(ctx, e, args[0]) }
}

// outputFlags declares the flags that say what becomes of the image.
func (o *buildOptions) outputFlags(f *flag.FlagSet) {
	f.Func("format", "", func(s string) (err error) {
		o.format, err = parseFormat(s)
		return err
	})
	f.Func("compress", "", func(s string) (err error) {
		o.compression, err = parseCompression(s)
		return err
	})
	f.Func("cluster-size", "", func(s string) error {
		n, err := spec.ParseSize(s)
		o.clusterSize = int64(n)
		return err
	})
	f.BoolVar(&o.bmap, "bmap", false, "")
	f.BoolVar(&o.split, "split", false, "")
	f.StringVar(&o.manifest, "manifest", "", "")
}

func (o *buildOptions) build(ctx context.Context, e env, specName string) error {
	out, err := o.target(e)
	if err != nil {
		return err
	}
	defer out.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	progress := o.progress(e, cancel)
	defer progress.close()

	if err := o.apartFromSpec(specName); err != nil {
		return err
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
	beside, err := o.companions(p, d)
	if err != nil {
		return err
	}
	defer beside.discard()
	written, err := out.write(ctx, p, image.Options{Progress: progress.update, Sync: o.sync, RootHash: progress.rootHash}, beside)
	if err != nil {
		return err
	}
	if err := beside.publish(o.sync); err != nil {
		return err
	}
	return progress.done(o.out, p.Size, written)
}

// apartFromSpec refuses outputs that would take the place of the spec.
func (o *buildOptions) apartFromSpec(specName string) error {
	for _, name := range []string{o.out, o.manifest} {
		if name != "" && name != "-" && specName != "-" {
			if err := apart(name, "the spec", specName); err != nil {
				return err
			}
		}
	}
	return nil
}

// plan plans what is described for the output, and tells what has become of it.
func (o *buildOptions) plan(ctx context.Context, d *description, out target, progress *progress) (*image.Plan, error) {
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
func (o *buildOptions) fit(out target, p *image.Plan, progress *progress) (*image.Plan, error) {
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

// target is where an image goes.
type target interface {
	// prepare refuses a layout that it cannot take, and fills in what it knows.
	prepare(l *image.Layout) error
	// fit returns the plan for what it is, which may be larger than the plan.
	fit(p *image.Plan) (*image.Plan, error)
	// write writes the image, and what is beside it as far as that is made of it,
	// and returns how many bytes it has put out.
	write(ctx context.Context, p *image.Plan, o image.Options, beside *companions) (int64, error)
	// close gives up what is held. It may be called at any time.
	close()
}

// target chooses by the flags and the name of the output. A device is opened here,
// so that a device in use is refused before the sources are read.
func (o *buildOptions) target(e env) (target, error) {
	if err := o.check(e); err != nil {
		return nil, usageError{err: err}
	}
	switch {
	case o.out == "-":
		return &streamOutput{e.stdout, o.format, &o.formatOptions}, nil
	case o.device:
		return openDevice(o.out)
	}
	info, err := os.Stat(o.out)
	switch {
	case err == nil && info.Mode()&os.ModeDevice != 0 && info.Mode()&os.ModeCharDevice == 0:
		return nil, usageError{err: fmt.Errorf("%s is a device: to overwrite it and lose all that is on it, give --device as well", o.out)}
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s exists and is not a regular file", o.out)
	}
	return &fileOutput{o.out, o.format, &o.formatOptions}, nil
}

// check refuses flags that make no sense together, and finds the format where none
// is given.
func (o *buildOptions) check(e env) error {
	asked := o.format != nil
	switch {
	case asked:
	case o.device:
		o.format = formats[0]
	default:
		o.format = formatOf(o.out)
	}
	switch isFile := o.out != "-" && !o.device; {
	case o.out == "":
		return errors.New("no output: want -o and a file, - for standard output, or a device")
	case o.json && o.quiet:
		return errors.New("both --json and -q: want one of them")
	case o.out == "-" && o.device:
		return errors.New("--device with the output -: want the name of a device")
	case o.out == "-" && isTerminal(e.stdout):
		return errors.New("standard output is a terminal: want it to be a file or a pipe")
	case o.device && o.format != formats[0]:
		return fmt.Errorf("--format %s with --device: want raw", o.format.name)
	case o.out == "-" && !o.format.stream:
		return fmt.Errorf("--format %s with the output -: want a file, to its start goes what is known last", o.format.name)
	case (o.compression != 0 || o.clusterSize != 0) && o.format.name != "qcow2":
		return fmt.Errorf("--compress and --cluster-size with the format %s: want qcow2", o.format.name)
	case o.bmap && !isFile, o.split && !isFile:
		return errors.New("--bmap and --split make files beside the image: want -o and a file")
	case o.bmap && !o.format.bmap:
		return fmt.Errorf("--bmap with the format %s: want raw or zst, which bmaptool copies from", o.format.name)
	case o.manifest == "-":
		return errors.New("--manifest -: want a file")
	}
	return nil
}
