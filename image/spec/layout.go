package spec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Layout is the layout that a spec describes, with its sources open.
type Layout struct {
	// Layout can be changed, but for its partitions' contents.
	image.Layout
	// Trees are what the partitions hold, by index: nil where that is no file
	// system of ours. They are the layout's own and are closed with it.
	Trees []*filetree.Tree
	// SplitNames are what the files are called that the partitions are split off
	// to, by index: "" for no such file. They are those of the last Plan.
	SplitNames []string
	// Sources are the files and directories that it is made of, in the order of
	// the spec.
	Sources []Source

	spec *Spec
}

// Source is a file or a directory of the building machine that a layout is made
// of.
type Source struct {
	// Path is its path, relative to the working directory or absolute.
	Path string
	// Exclude lists the patterns of what of a directory is left out, as
	// [filetree.Layer] has them.
	Exclude []string
}

// Layout opens the sources and returns the layout, which has to be closed. Of
// directories it reads the metadata, of archives all that they hold. The context
// ends that between two sources.
func (s *Spec) Layout(ctx context.Context) (*Layout, error) {
	l := &Layout{
		Layout: image.Layout{
			Table: s.Table, SectorSize: s.SectorSize, Size: int64(s.Size), Align: int64(s.Align),
			Seed: s.Seed, Time: s.Time, ID: uuid.UUID(s.ID),
		},
		spec: s,
	}
	if l.Time.IsZero() {
		var err error
		if l.Time, err = image.SourceDate(); err != nil {
			return nil, s.locate(err)
		}
	}
	for i := range s.Partitions {
		if err := l.addPartition(ctx, &s.Partitions[i]); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	for i := range s.Blobs {
		if err := l.addBlob(&s.Blobs[i], i); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

func (l *Layout) addPartition(ctx context.Context, p *Partition) error {
	part := image.Partition{
		Name: p.Name, Type: p.Type, ID: p.ID, Start: int64(p.Start), Size: int64(p.Size.Exact),
		MinSize: int64(p.Size.Min), MaxSize: int64(p.Size.Max), Free: int64(p.Free.Bytes), FreePercent: p.Free.Percent,
		Weight: p.Weight, HybridType: p.HybridType,
	}
	for _, a := range p.Attributes {
		part.Attributes |= a
	}
	object := objectName("partition", p.Name, len(l.Partitions)) + ": content"
	tree, content, err := l.content(ctx, object, p.Content)
	if err != nil {
		return err
	}
	part.Content = content
	l.Partitions = append(l.Partitions, part)
	l.Trees = append(l.Trees, tree)
	return nil
}

// content opens what a partition holds.
func (l *Layout) content(ctx context.Context, object string, c *Content) (*filetree.Tree, volume.Content, error) {
	if c == nil {
		return nil, nil, nil
	}
	var tree *filetree.Tree
	f, ok := formats[c.Format]
	if !ok {
		return nil, nil, l.spec.fail(c.begin, object, fmt.Errorf("format %q: want one of %s", c.Format, strings.Join(formatNames(), ", ")))
	}
	if len(c.Files) > 0 {
		var err error
		if tree, err = l.tree(ctx, object, c.Files); err != nil {
			return nil, nil, err
		}
	}
	for _, name := range c.sources() {
		l.Sources = append(l.Sources, Source{Path: l.spec.path(name)})
	}
	content, err := f.content(l.spec, c, tree)
	if err != nil {
		pos := c.begin
		if c.has("file") {
			pos = c.of("file")
		}
		return nil, nil, errors.Join(l.spec.fail(pos, object, err), closeTree(tree))
	}
	return tree, content, nil
}

// sources returns the files of this machine that a content is made of but for those
// of its Files.
func (c *Content) sources() (names []string) {
	for _, name := range []string{c.File, c.Key, c.Certificate} {
		if name != "" {
			names = append(names, name)
		}
	}
	for _, b := range c.Boot {
		if b.File != "" {
			names = append(names, b.File)
		}
	}
	if c.BootCode != "" {
		names = append(names, c.BootCode)
	}
	return names
}

func (l *Layout) addBlob(b *Blob, i int) error {
	blob, err := blobFormats[b.format()](l, b)
	if err != nil {
		return l.spec.fail(b.of("file"), objectName("blob", b.Name, i), err)
	}
	blob.Name, blob.Offset = b.Name, int64(b.Offset)
	l.Sources = append(l.Sources, Source{Path: l.spec.path(b.File)})
	l.Blobs = append(l.Blobs, blob)
	return nil
}

// path returns the path of a file that the spec names.
func (s *Spec) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// fail returns an error at a place of the spec.
func (s *Spec) fail(at position, object string, err error) error {
	return &Error{File: s.file, Line: at.line, Column: at.column, Object: object, Err: err}
}

// Plan lays the disk out, as [image.Layout.Plan] does. Its errors tell the place
// in the spec.
func (l *Layout) Plan(ctx context.Context) (*image.Plan, error) {
	p, err := l.Layout.Plan(ctx)
	if err != nil {
		return nil, l.spec.locate(err)
	}
	l.SplitNames = nil
	for i, part := range p.Partitions {
		l.SplitNames = append(l.SplitNames, l.splitName(i, &part))
	}
	return p, nil
}

// splitName returns what the file is called that a partition is split off to.
func (l *Layout) splitName(i int, part *image.PlannedPartition) string {
	name := l.spec.Partitions[i].Split
	if name == "-" {
		return ""
	}
	return cmp.Or(name, part.Name, strconv.Itoa(part.Number))
}

// Close closes the contents and their sources. A plan of the layout cannot be built any more then.
func (l *Layout) Close() error {
	errs := []error{l.Layout.Close()}
	for _, t := range l.Trees {
		errs = append(errs, closeTree(t))
	}
	l.Trees = nil
	return errors.Join(errs...)
}

func closeTree(t *filetree.Tree) error {
	if t == nil {
		return nil
	}
	return t.Close()
}
