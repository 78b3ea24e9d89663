package filetree

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// FromDir returns the tree of a directory with everything that the system knows
// of its files: owners, modes, times to the nanosecond, devices, hard links,
// extended attributes and holes. Symbolic links are taken as such, and nothing
// outside the directory is read.
//
// The directory stays open until the tree is closed. Contents are read
// when an image is written; a file that has changed by then is an [ErrChanged].
func FromDir(name string) (*Tree, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	t := New()
	src, err := newDirSource(root)
	if err != nil {
		return nil, err
	}
	r := &dirReader{t: t, name: name, source: t.addSource(src), links: map[inode]uint32{}}
	if err := r.readDir(root, 0); err != nil {
		_ = t.Close()
		return nil, err
	}
	t.Sort()
	return t, nil
}

// dirReader reads a directory of the system into a tree.
type dirReader struct {
	t      *Tree
	name   string // of the directory, for errors
	source uint16
	links  map[inode]uint32 // the first name of each file that has several
}

// inode is the identity of a file.
type inode struct{ dev, ino uint64 }

// readDir reads the directory dir, and all that is in it, into node i.
func (r *dirReader) readDir(dir *os.Root, i uint32) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	at := place{root: dir, dir: f}
	if err := r.readFile(at, i, ".", info); err != nil {
		return r.error(i, "", err)
	}
	list, err := f.ReadDir(-1)
	if err != nil {
		return err
	}
	// The order in which a directory is read differs between machines.
	slices.SortFunc(list, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, d := range list {
		info, err := dir.Lstat(d.Name())
		if err != nil {
			return r.error(i, d.Name(), err)
		}
		child, err := r.t.append(i, d.Name())
		if err != nil {
			return r.error(i, d.Name(), err)
		}
		if info.IsDir() {
			if err := r.readSubdir(dir, child, d.Name()); err != nil {
				return err
			}
			continue
		}
		if err := r.readFile(at, child, d.Name(), info); err != nil {
			return r.error(i, d.Name(), err)
		}
	}
	return nil
}

func (r *dirReader) readSubdir(dir *os.Root, i uint32, name string) error {
	sub, err := dir.OpenRoot(name)
	if err != nil {
		return r.error(i, "", err)
	}
	defer sub.Close()
	return r.readDir(sub, i)
}

// place is a directory that is being read, open in both ways.
type place struct {
	root *os.Root
	dir  *os.File
}

// readFile reads the metadata of the file name in a directory into node i.
func (r *dirReader) readFile(at place, i uint32, name string, info os.FileInfo) error {
	if id, ok := linkedInode(info); ok {
		if first, ok := r.links[id]; ok {
			r.t.link(i, first)
			return nil
		}
		r.links[id] = i
	}
	e := infoEntry(info)
	if info.Mode()&os.ModeSymlink != 0 {
		target, err := at.root.Readlink(name)
		if err != nil {
			return err
		}
		e.Target = target
	}
	if err := readExtra(at, name, info, &e); err != nil {
		return err
	}
	return r.t.setFrom(r.source, i, &e)
}

// error names the file name in the directory of node i.
func (r *dirReader) error(i uint32, name string, err error) error {
	path := strings.TrimSuffix(Node{r.t, i}.Path()+"/"+name, "/")
	return fmt.Errorf("%s: %w", strings.TrimSuffix(r.name, "/")+"/"+strings.TrimPrefix(path, "./"), err)
}
