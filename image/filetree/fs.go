package filetree

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// FromFS returns the tree of a file system. Owners, devices and times finer than
// the ModTime come from the Sys value of its file infos where that is the
// system's own stat structure, as for os.DirFS. Hard links and extended
// attributes do not show through an fs.FS: see [FromDir] for these.
func FromFS(fsys fs.FS) (*Tree, error) {
	t := New()
	s := t.addSource(fsSource{fsys})
	if err := t.readFS(fsys, s, ".", 0); err != nil {
		return nil, err
	}
	t.Sort()
	return t, nil
}

// readFS reads one file, and all below it, into node i.
func (t *Tree) readFS(fsys fs.FS, source uint16, name string, i uint32) error {
	info, err := fs.Lstat(fsys, name)
	if err != nil {
		return err
	}
	e := infoEntry(info)
	if e.Mode&fs.ModeSymlink != 0 {
		if e.Target, err = fs.ReadLink(fsys, name); err != nil {
			return err
		}
	}
	if err := t.setFrom(source, i, &e); err != nil {
		return &PathError{Op: "read", Path: name, Err: err}
	}
	if !info.IsDir() {
		return nil
	}
	list, err := fs.ReadDir(fsys, name)
	if err != nil {
		return err
	}
	// A ReadDirFS may have an order of its own.
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for k, d := range list {
		full := join(name, d.Name())
		err := checkName(d.Name())
		switch {
		case err != nil:
		case k > 0 && d.Name() == list[k-1].Name():
			err = fmt.Errorf("%w: in the directory twice", ErrExist)
		case len(full) > MaxTarget:
			err = fmt.Errorf("%w: it is over %d bytes long", ErrBadPath, MaxTarget)
		}
		if err != nil {
			return &PathError{Op: "read", Path: full, Err: err}
		}
		child, err := t.append(i, d.Name())
		if err != nil {
			return &PathError{Op: "read", Path: full, Err: err}
		}
		if err := t.readFS(fsys, source, full, child); err != nil {
			return err
		}
	}
	return nil
}

// infoEntry returns what a file info tells.
func infoEntry(info fs.FileInfo) Entry {
	e := Entry{Mode: info.Mode(), ModTime: info.ModTime()}
	if info.Mode().IsRegular() {
		e.Size = info.Size()
	}
	sysEntry(info.Sys(), &e)
	return e
}

// addSource enters a source and returns its number.
func (t *Tree) addSource(s source) uint16 {
	t.sources = append(t.sources, s)
	return uint16(len(t.sources) - 1)
}

// setFrom gives node i an entry's metadata and the source of its content. Its
// errors name no file.
func (t *Tree) setFrom(source uint16, i uint32, e *Entry) error {
	if err := e.check(); err != nil {
		return err
	}
	t.nodes.at(i).source = source
	return t.set(i, e)
}

// fsSource opens the files of an fs.FS.
type fsSource struct{ fsys fs.FS }

func (s fsSource) open(n Node) (Content, error) { return s.fsys.Open(n.Path()) }
