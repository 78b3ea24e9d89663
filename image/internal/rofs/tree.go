package rofs

import (
	"fmt"
	"io/fs"

	"github.com/drivebay/drivebay/image/filetree"
)

// Tree returns the tree of all files, with what does not show through an [fs.FS]:
// hard links, holes, and names that are not UTF-8. Contents are read from the
// volume when they are asked for. It makes f a [filetree.TreeFS].
func (f *FS) Tree() (*filetree.Tree, error) {
	b := &treeBuilder{f: f, tree: filetree.New(), names: map[ID]string{}}
	root, err := f.v.Stat(f.v.Root())
	if err != nil {
		return nil, &filetree.PathError{Op: "read", Path: ".", Err: err}
	}
	if _, err := b.tree.Add(".", root.Entry); err != nil {
		return nil, err
	}
	if err := b.dir(f.v.Root(), "."); err != nil {
		return nil, err
	}
	b.tree.Sort()
	return b.tree, nil
}

// treeBuilder reads a volume into a tree.
type treeBuilder struct {
	f     *FS
	tree  *filetree.Tree
	names map[ID]string // the first of each file that has several
}

// dir adds what is in a directory.
func (b *treeBuilder) dir(id ID, path string) error {
	list, err := b.f.list(id)
	if err != nil {
		return &filetree.PathError{Op: "read", Path: path, Err: err}
	}
	for _, c := range list {
		if err := b.child(c, join(path, c.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (b *treeBuilder) child(c Child, path string) error {
	if len(path) > filetree.MaxTarget {
		err := fmt.Errorf("%w: it is over %d bytes long", filetree.ErrBadPath, filetree.MaxTarget)
		return &filetree.PathError{Op: "read", Path: path, Err: err}
	}
	if first, ok := b.names[c.ID]; ok {
		_, err := b.tree.Link(path, first)
		return err
	}
	file, err := b.f.describe(c)
	if err != nil {
		return &filetree.PathError{Op: "read", Path: path, Err: err}
	}
	if _, err := b.tree.Add(path, file.Entry); err != nil {
		return err
	}
	if c.Type == fs.ModeDir {
		return b.dir(c.ID, path)
	}
	if file.Links > 1 {
		b.names[c.ID] = path
	}
	return nil
}

// join is path.Join for names that are clean.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}
