package filetree

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// TreeFS is a file system that makes its tree itself, with what does not show
// through an fs.FS, such as hard links: the readers of image/ext4, image/fat, image/squashfs and
// image/erofs do.
type TreeFS interface {
	fs.FS
	// Tree returns a tree of all files that the caller may change.
	Tree() (*Tree, error)
}

// FromFS returns the tree of a file system: that of its own making where it is a
// [TreeFS]. Of others, owners and devices come from the Sys value of the file infos
// where that is the system's own stat structure, as for os.DirFS, or an [*Entry],
// of which the extended attributes, the other times and the holes are taken too.
// Hard links do not show through an fs.FS: see [FromDir] for these.
func FromFS(fsys fs.FS) (_ *Tree, err error) {
	defer Recover(&err)
	if own, ok := fsys.(TreeFS); ok {
		return own.Tree()
	}
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
		if e.Target, err = readLink(fsys, name); err != nil {
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

// readLink is fs.ReadLink for file systems, too, that have no Lstat beside their
// ReadLink, as those of go-diskfs 1.9.4.
func readLink(fsys fs.FS, name string) (string, error) {
	if l, ok := fsys.(interface{ ReadLink(string) (string, error) }); ok {
		return l.ReadLink(name)
	}
	return fs.ReadLink(fsys, name)
}

// infoEntry returns what a file info tells.
func infoEntry(info fs.FileInfo) Entry {
	e := Entry{Mode: info.Mode(), ModTime: info.ModTime()}
	if info.Mode().IsRegular() {
		e.Size = info.Size()
	}
	if sys, ok := info.Sys().(*Entry); ok && sys != nil {
		e.UID, e.GID, e.Device, e.Xattrs, e.Data = sys.UID, sys.GID, sys.Device, sys.Xattrs, sys.Data
		e.AccessTime, e.ChangeTime = sys.AccessTime, sys.ChangeTime
		return e
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
	t.setContent(i, source, 0)
	return t.set(i, e)
}

// join is path.Join for paths that are clean.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// fsSource opens the files of an fs.FS.
type fsSource struct{ fsys fs.FS }

func (s fsSource) open(n Node) (Content, error) {
	f, err := s.fsys.Open(n.Path())
	if err != nil {
		return nil, err
	}
	c := progress{File: f}
	if s, ok := f.(io.Seeker); ok {
		return &seekProgress{c, s}, nil
	}
	return &c, nil
}

// progress is a file that does not read nothing for ever: that of go-diskfs 1.9.4
// on ext4 does so in a hole.
type progress struct {
	fs.File
	empty int // reads in a row
}

// Read gives up with io.ErrNoProgress after a hundred reads of nothing.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.File.Read(b)
	if n > 0 || err != nil || len(b) == 0 {
		p.empty = 0
		return n, err
	}
	if p.empty++; p.empty > 100 {
		return 0, io.ErrNoProgress
	}
	return 0, nil
}

type seekProgress struct {
	progress
	io.Seeker
}
