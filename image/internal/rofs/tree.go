package rofs

import (
	"fmt"
	"io/fs"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Tree returns the tree of all files, with what does not show through an [fs.FS]:
// hard links, holes, and names that are not UTF-8. Contents are read from the
// volume when they are asked for. It makes f a [filetree.TreeFS].
func (f *FS) Tree() (*filetree.Tree, error) {
	b := &treeBuilder{f: f, tree: filetree.New(), seen: idSet{}, names: map[ID]string{}}
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
	seen  idSet         // files that should have no other name
	names map[ID]string // the first of each file that has several
	// ranges is how many ranges of data all files have.
	ranges int64
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
	if err == nil {
		err = b.check(c, &file)
	}
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

// minBlock is the size in bytes of the smallest blocks of a format with holes.
const minBlock = 1024

// check refuses what would make the tree larger than the volume is: files that are
// in many places but say that they are not, and data in more ranges than there are
// blocks.
func (b *treeBuilder) check(c Child, file *File) error {
	if c.Type != fs.ModeDir && file.Links <= 1 && !b.seen.add(c.ID) {
		return fmt.Errorf("%w: it has 1 link, and another name before this", volume.ErrDamaged)
	}
	if b.ranges += int64(len(file.Data)); b.ranges > b.f.size/minBlock {
		return fmt.Errorf("%w: files have data in %d ranges up to this one: want at most %d in a volume of %d bytes",
			volume.ErrDamaged, b.ranges, b.f.size/minBlock, b.f.size)
	}
	return nil
}

// idSet is a set of files, in bits.
type idSet map[ID]*[8]uint64

// add adds a file, and reports whether it is new.
func (s idSet) add(id ID) bool {
	page := s[id/512]
	if page == nil {
		page = new([8]uint64)
		s[id/512] = page
	}
	word, bit := &page[id%512/64], uint64(1)<<(id%64)
	old := *word
	*word |= bit
	return old&bit == 0
}

// join is path.Join for names that are clean.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}
