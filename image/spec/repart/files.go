package repart

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/spec"
)

// files returns the files of a partition.
func (l *Layout) files(ctx context.Context, d *Definition) (*filetree.Tree, error) {
	b := &treeBuilder{layout: l, definition: d, tree: filetree.New()}
	if _, err := b.tree.Add(".", b.dir()); err != nil {
		return nil, err
	}
	for _, c := range d.CopyFiles {
		err := context.Cause(ctx)
		if err == nil {
			err = b.copy(c)
		}
		if err != nil {
			return nil, errors.Join(c.Place.failf("CopyFiles: %w", err), b.tree.Close())
		}
	}
	if err := b.make(); err != nil {
		return nil, errors.Join(err, b.tree.Close())
	}
	b.tree.Sort()
	return b.tree, nil
}

// treeBuilder puts the files of a partition together.
type treeBuilder struct {
	layout     *Layout
	definition *Definition
	tree       *filetree.Tree
}

// copy adds what a CopyFiles names.
func (b *treeBuilder) copy(c CopyFiles) error {
	name, err := b.layout.definitions.resolve(c.Source)
	if err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	exclude, all := b.exclude(c)
	b.layout.Sources = append(b.layout.Sources, spec.Source{Path: name, Exclude: exclude})
	layer := filetree.Layer{To: strings.TrimPrefix(c.Target, "/"), Exclude: exclude}
	switch {
	case all:
		return nil
	case info.IsDir():
		layer.Tree, err = filetree.FromDir(name)
	case info.Mode().IsRegular():
		layer.Tree, err = b.single(name, path.Base(c.Target))
		layer.To = strings.TrimPrefix(path.Dir(c.Target), "/")
	default:
		err = fmt.Errorf("%s: is of type %s: want a directory or a regular file", name, info.Mode().Type())
	}
	if err != nil {
		return err
	}
	return b.merge(layer)
}

// merge puts a layer onto what there is. Files take the place of others;
// directories that are there, the root among them, keep their owners, modes, times
// and attributes, as systemd-repart has it.
func (b *treeBuilder) merge(layer filetree.Layer) error {
	kept := map[string]filetree.Entry{}
	keep := func(name string) {
		if n, ok := b.tree.Lookup(name); ok && n.IsDir() {
			kept[name] = dirEntry(n)
		}
	}
	keep(cmp.Or(layer.To, "."))
	_ = layer.Tree.Walk(func(n filetree.Node) error {
		if n.IsDir() {
			keep(path.Join(layer.To, n.Path()))
		}
		return nil
	})
	merged, err := filetree.Merge(filetree.Layer{Tree: b.tree}, layer)
	if err != nil {
		return errors.Join(err, layer.Tree.Close())
	}
	b.tree = merged
	for name, e := range kept {
		if n, ok := merged.Lookup(name); !ok || !n.IsDir() {
			continue
		}
		if _, err := merged.Add(name, e); err != nil {
			return err
		}
	}
	return nil
}

// dirEntry returns the entry of a directory of a tree.
func dirEntry(n filetree.Node) filetree.Entry {
	return filetree.Entry{
		Mode: n.Mode(), UID: n.UID(), GID: n.GID(), Xattrs: n.Xattrs(),
		ModTime: n.ModTime(), AccessTime: n.AccessTime(), ChangeTime: n.ChangeTime(),
	}
}

// single returns the tree of a single file.
func (b *treeBuilder) single(name, base string) (*filetree.Tree, error) {
	e, err := fileEntry(name)
	if err != nil {
		return nil, err
	}
	t := filetree.New()
	if _, err := t.Add(".", b.dir()); err != nil {
		return nil, err
	}
	_, err = t.Add(base, e)
	return t, err
}

// exclude returns the patterns of what is left out of a source, or that all of it
// is: what ExcludeFiles and ExcludeFilesTarget name, and what belongs to the other
// partitions, which will be mounted there.
func (b *treeBuilder) exclude(c CopyFiles) (patterns []string, all bool) {
	add := func(base, name string) {
		pattern, whole := excludePattern(base, name)
		if all = all || whole; pattern != "" {
			patterns = append(patterns, pattern)
		}
	}
	for _, name := range b.definition.ExcludeFiles {
		add(c.Source, name)
	}
	for _, name := range b.definition.ExcludeFilesTarget {
		add(c.Target, name)
	}
	for _, other := range b.layout.definitions.Partitions {
		for _, name := range mountPoints[usage(other.Type)] {
			if other != b.definition && name != c.Source {
				add(c.Source, name+"/")
			}
		}
	}
	slices.Sort(patterns)
	return slices.Compact(patterns), all
}

// excludePattern returns the pattern, for what is below base, of a path: "" where
// it is elsewhere. A path with a slash at the end is what is in a directory, and
// not the directory. It may be all of base. What is copied from inside of it by its
// own name is copied.
func excludePattern(base, name string) (pattern string, all bool) {
	inside := strings.HasSuffix(name, "/")
	rel, err := filepath.Rel(base, path.Clean(name))
	switch {
	case err != nil:
		return "", false
	case rel == ".":
		if inside {
			return "/*", false
		}
		return "", true
	case rel == ".." || strings.HasPrefix(rel, "../"):
		return "", false
	}
	pattern = "/" + strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(rel)
	if inside {
		pattern += "/*"
	}
	return pattern, false
}

// make makes directories and symbolic links.
func (b *treeBuilder) make() error {
	for _, name := range b.definition.MakeDirectories {
		if err := b.makeDir(strings.TrimPrefix(name, "/")); err != nil {
			return b.definition.place("MakeDirectories").failf("MakeDirectories: %w", err)
		}
	}
	for _, s := range b.definition.MakeSymlinks {
		if err := b.makeSymlink(s); err != nil {
			return s.Place.failf("MakeSymlinks: %w", err)
		}
	}
	return nil
}

// dir returns the entry of a directory that is made.
func (b *treeBuilder) dir() filetree.Entry {
	e := filetree.Dir(0o755)
	e.ModTime = b.layout.Time
	return e
}

// makeDir makes a directory, and those above it, where they are missing.
func (b *treeBuilder) makeDir(name string) error {
	if name == "" || name == "." {
		return nil
	}
	if n, ok := b.tree.Lookup(name); ok {
		if n.IsDir() {
			return nil
		}
		return &filetree.PathError{Op: "mkdir", Path: name, Err: filetree.ErrNotDir}
	}
	if err := b.makeDir(path.Dir(name)); err != nil {
		return err
	}
	_, err := b.tree.Add(name, b.dir())
	return err
}

func (b *treeBuilder) makeSymlink(s MakeSymlink) error {
	name := strings.TrimPrefix(s.Path, "/")
	if err := b.makeDir(path.Dir(name)); err != nil {
		return err
	}
	e := filetree.Symlink(s.Target)
	e.ModTime = b.layout.Time
	_, err := b.tree.Add(name, e)
	return err
}
