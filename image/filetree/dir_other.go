//go:build !linux

package filetree

import (
	"errors"
	"os"
	"slices"
	"strings"
)

// sysEntry has nothing to add where stat is not Linux's.
func sysEntry(any, *Entry) {}

// readDir reads the directory called name into t.
func readDir(t *Tree, name string) error {
	root, err := os.OpenRoot(name)
	if err != nil {
		return err
	}
	r := &dirReader{t: t, name: name, source: t.addSource(dirSource{root})}
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	return r.readFile(root, 0, ".", info)
}

// dirReader reads a directory of the system into a tree.
type dirReader struct {
	t      *Tree
	name   string // of the directory, for errors
	source uint16
}

// readFile reads the file name in dir, and what is in it, into node i.
func (r *dirReader) readFile(dir *os.Root, i uint32, name string, info os.FileInfo) error {
	e := infoEntry(info)
	var err error
	if info.Mode()&os.ModeSymlink != 0 {
		e.Target, err = dir.Readlink(name)
	}
	if err == nil {
		err = r.t.setFrom(r.source, i, &e)
	}
	if err == nil && info.IsDir() {
		return r.readDir(dir, i, name)
	}
	return r.error(i, err)
}

func (r *dirReader) readDir(dir *os.Root, i uint32, name string) error {
	sub, err := dir.OpenRoot(name)
	if err != nil {
		return r.error(i, err)
	}
	defer sub.Close()
	f, err := sub.Open(".")
	if err != nil {
		return r.error(i, err)
	}
	defer f.Close()
	list, err := f.ReadDir(-1)
	if err != nil {
		return r.error(i, err)
	}
	slices.SortFunc(list, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, d := range list {
		info, err := sub.Lstat(d.Name())
		if err == nil {
			err = checkName(d.Name())
		}
		var child uint32
		if err == nil {
			child, err = r.t.append(i, d.Name())
		}
		if err != nil {
			return &PathError{Op: "read", Path: dirError(r.name, Node{r.t, i}, d.Name()), Err: err}
		}
		if err := r.readFile(sub, child, d.Name(), info); err != nil {
			return err
		}
	}
	return nil
}

// error names node i in an error.
func (r *dirReader) error(i uint32, err error) error {
	if err == nil {
		return nil
	}
	return &PathError{Op: "read", Path: dirError(r.name, Node{r.t, i}, ""), Err: err}
}

// dirSource opens the files of a directory.
type dirSource struct{ root *os.Root }

// Close closes the directory.
func (s dirSource) Close() error {
	if err := s.root.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func (s dirSource) open(n Node) (Content, error) { return s.root.Open(n.Path()) }
