package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/spec"
	"github.com/drivebay/drivebay/image/spec/repart"
)

// description is a disk that somebody has described, with its sources open.
type description struct {
	*image.Layout // what it leaves open may be filled in before it is planned
	sources       []spec.Source
	plan          func(context.Context) (*image.Plan, error)
	close         func() error
	// trees are the files of the plan's partitions, by index, nil where there are
	// none. omitted is what the plan leaves out.
	trees   func() []*filetree.Tree
	omitted func() []string
	// splitNames are what the files are called that partitions are split off to, by
	// index of the plan, "" for none.
	splitNames func() []string
}

// Plan plans the disk. Its errors tell the place in what describes it.
func (d *description) Plan(ctx context.Context) (*image.Plan, error) { return d.plan(ctx) }

// Close closes the sources.
func (d *description) Close() error { return d.close() }

// overrides are the flags that say what a description leaves open, or say
// otherwise.
type overrides struct {
	seed uuid.UUID
	size int64
	root string
	// definitions are directories of definitions behind the one that is named first.
	definitions []string
	// privateKey and certificate are files that root hashes are signed with.
	privateKey, certificate string
}

func (o *overrides) flags(f *flag.FlagSet) {
	f.Func("seed", "", func(s string) (err error) {
		if o.seed, err = uuid.Parse(s); err != nil || o.seed == uuid.Nil {
			return errors.New("want a UUID that is not all zeros")
		}
		return nil
	})
	f.Func("size", "", func(s string) error {
		n, err := spec.ParseSize(s)
		if err == nil && n == 0 {
			err = errors.New("want more than 0")
		}
		o.size = int64(n)
		return err
	})
	f.StringVar(&o.root, "root", "", "")
	f.Func("definitions", "", func(s string) error {
		o.definitions = append(o.definitions, s)
		return nil
	})
	f.StringVar(&o.privateKey, "private-key", "", "")
	f.StringVar(&o.certificate, "certificate", "", "")
}

// describe reads what describes a disk, and opens what it names: a directory of
// systemd's definitions or a spec, which is stdin where its name is "-".
func (o *overrides) describe(ctx context.Context, e env, name string) (*description, error) {
	return abandon(ctx, func() (*description, error) {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			return o.describeDefinitions(ctx, name)
		}
		for _, only := range []struct{ flag, value string }{
			{"root", o.root}, {"definitions", strings.Join(o.definitions, " --definitions ")}, {"private-key", o.privateKey}, {"certificate", o.certificate},
		} {
			if only.value != "" {
				return nil, usageError{err: fmt.Errorf("--%s %s: want it with a directory of definitions only", only.flag, only.value)}
			}
		}
		return o.describeSpec(ctx, e, name)
	})
}

func (o *overrides) describeSpec(ctx context.Context, e env, name string) (*description, error) {
	var s *spec.Spec
	var err error
	if name == "-" {
		s, err = spec.Parse("stdin", e.stdin, ".")
	} else {
		s, err = spec.Load(name)
	}
	if err != nil {
		return nil, err
	}
	if o.seed != uuid.Nil {
		s.Seed = o.seed
	}
	if o.size != 0 {
		s.Size = spec.Size(o.size)
	}
	l, err := s.Layout(ctx)
	if err != nil {
		return nil, err
	}
	return &description{
		Layout: &l.Layout, sources: l.Sources, plan: l.Plan, close: l.Close,
		trees:      func() []*filetree.Tree { return l.Trees },
		omitted:    func() []string { return nil },
		splitNames: func() []string { return l.SplitNames },
	}, nil
}

func (o *overrides) describeDefinitions(ctx context.Context, dir string) (*description, error) {
	d, err := repart.Load(append([]string{dir}, o.definitions...), repart.Options{
		Seed: o.seed, Size: o.size, Root: o.root, PrivateKey: o.privateKey, Certificate: o.certificate,
	})
	if err != nil {
		return nil, err
	}
	l, err := d.Layout(ctx)
	if err != nil {
		return nil, err
	}
	return &description{
		Layout: &l.Layout, sources: l.Sources, plan: l.Plan, close: l.Close,
		trees: func() []*filetree.Tree { return l.Trees },
		omitted: func() (list []string) {
			for _, p := range l.Omitted {
				list = append(list, fmt.Sprintf("%s is left out: the disk is too small for priority %d", p.File, p.Priority))
			}
			return list
		},
		splitNames: func() []string { return l.SplitNames },
	}, nil
}
