package repart

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/mkfs"
	"github.com/drivebay/drivebay/image/spec"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/volume"
)

// Layout is the disk that definitions describe, with its sources open.
type Layout struct {
	// Layout can be changed before it is planned, but for its partitions, which
	// are those of the last Plan.
	image.Layout
	// Trees are the files of the partitions, by index: nil where a partition has
	// none. They are the layout's own and are closed with it.
	Trees []*filetree.Tree
	// SplitNames are what the files are called that the partitions are split off
	// to, by index: "" for no such file.
	SplitNames []string
	// Omitted are the definitions for which the disk is too small, as their
	// Priority allows.
	Omitted []*Definition
	// Sources are the files and directories that it is made of, the definitions
	// among them.
	Sources []spec.Source

	definitions *Definitions
	all         []*partition
}

// partition is a partition before it is placed.
type partition struct {
	*Definition
	id      uuid.UUID
	label   string
	tree    *filetree.Tree
	content volume.Content
}

// Layout opens the sources and returns the layout, which has to be closed. The
// context ends that between two sources.
func (d *Definitions) Layout(ctx context.Context) (*Layout, error) {
	t, err := image.SourceDate()
	if err != nil {
		return nil, err
	}
	l := &Layout{
		Layout: image.Layout{
			Size: d.options.Size, SectorSize: d.options.SectorSize, Align: grain, Seed: d.options.Seed, Time: t,
			ID: derive(d.options.Seed, []byte("disk-uuid")),
		},
		definitions: d,
	}
	ids, labels, err := d.identify()
	if err != nil {
		return nil, err
	}
	for i, def := range d.Partitions {
		p := &partition{Definition: def, id: ids[i], label: labels[i]}
		l.all = append(l.all, p)
		for _, name := range append([]string{def.File}, def.DropIns...) {
			l.Sources = append(l.Sources, spec.Source{Path: name})
		}
		if err := l.open(ctx, p); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// open opens what a partition is to hold.
func (l *Layout) open(ctx context.Context, p *partition) (err error) {
	switch {
	case p.Verity == VerityHash:
		l.openTree(p)
		return nil
	case p.Verity == VeritySignature:
		return l.openSignature(p)
	case p.CopyBlocks != "":
		p.content, err = l.openBlocks(p)
		return err
	case p.Format == "":
		return nil
	}
	f := formats[p.Format]
	if f.files {
		if p.tree, err = l.files(ctx, p.Definition); err != nil {
			return err
		}
	}
	p.content = f.content(p, derive(p.id, []byte("file-system-uuid")))
	return nil
}

// openBlocks opens the file of CopyBlocks.
func (l *Layout) openBlocks(p *partition) (volume.Content, error) {
	at := p.place("CopyBlocks")
	name, err := l.definitions.resolve(p.CopyBlocks)
	if err != nil {
		return nil, at.failf("CopyBlocks %q: %w", p.CopyBlocks, err)
	}
	raw, err := image.RawFile(name)
	if err != nil {
		return nil, at.failf("CopyBlocks: %w", err)
	}
	if raw.Size == 0 || raw.Size%512 != 0 {
		return nil, at.failf("CopyBlocks: %s has %d bytes: want a multiple of 512", name, raw.Size)
	}
	l.Sources = append(l.Sources, spec.Source{Path: name})
	return raw, nil
}

// Plan finds the place of every partition, as systemd-repart does on an empty
// disk, and lays the disk out. A disk that is too small loses the partitions with
// the highest priority above 0, until the others fit.
func (l *Layout) Plan(ctx context.Context) (*image.Plan, error) {
	disk := l.Layout
	disk.SectorSize = cmp.Or(disk.SectorSize, 512)
	parts, err := l.place(ctx, &disk)
	if err != nil {
		return nil, err
	}
	disk.Partitions, l.Trees, l.SplitNames = nil, nil, nil
	relate(parts)
	for i, p := range parts {
		part := image.Partition{
			Name: p.label, Type: p.Type, ID: p.id, Start: p.start, Size: p.size.size, Attributes: p.Attributes, Content: p.content,
		}
		if p.hasRootHashID() {
			part.ID = uuid.Nil
		}
		disk.Partitions = append(disk.Partitions, part)
		name, err := l.splitName(p.partition, i)
		if err != nil {
			return nil, err
		}
		l.Trees, l.SplitNames = append(l.Trees, p.tree), append(l.SplitNames, name)
	}
	l.Partitions = disk.Partitions
	plan, err := disk.Plan(ctx)
	if err != nil {
		return nil, l.locate(err, parts)
	}
	return plan, nil
}

// splitName expands the specifiers of a partition's SplitName. As systemd-repart 252
// has it, partitions are numbered from 0 and UUIDs have no dashes.
func (l *Layout) splitName(p *partition, n int) (string, error) {
	typ, err := p.Type.GUID()
	if err != nil {
		return "", err // checked before
	}
	name, err := (&specifiers{root: l.definitions.options.Root}).expand(p.SplitName, map[byte]string{
		't': string(p.Type), 'T': hex.EncodeToString(typ[:]), 'U': hex.EncodeToString(p.id[:]), 'n': strconv.Itoa(n),
	})
	if err != nil {
		return "", p.place("SplitName").failf("SplitName %w", err)
	}
	return name, nil
}

// locate gives an error of planning the place of what it is about.
func (l *Layout) locate(err error, parts []*placed) error {
	at := l.definitions.at()
	var where *image.LayoutError
	var number int
	if errors.As(err, &where) {
		_, _ = fmt.Sscanf(where.Object, "partition %d", &number)
	}
	if number < 1 || number > len(parts) {
		return &Error{at, err}
	}
	p := parts[number-1]
	at = p.placeOf(err)
	if short := (*image.SizeError)(nil); errors.As(err, &short) {
		err = fmt.Errorf("%w: want a larger SizeMinBytes, or Minimize=guess", err)
	}
	return &Error{at, err}
}

// placeOf returns the setting that an error of planning a partition's content is
// about.
func (d *Definition) placeOf(err error) Place {
	switch {
	case errors.Is(err, mkfs.ErrSubvolume):
		return d.place("Subvolumes")
	case errors.Is(err, squashfs.ErrOption):
		return d.place("CompressionLevel")
	}
	return d.place("CopyFiles", "CopyBlocks", "Format")
}

// Close closes the contents and their sources. A plan of the layout cannot be
// built any more then.
func (l *Layout) Close() error {
	var errs []error
	for _, p := range l.all {
		if c, ok := p.content.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
		if p.tree != nil {
			errs = append(errs, p.tree.Close())
		}
	}
	return errors.Join(errs...)
}
