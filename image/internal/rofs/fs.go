package rofs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// FS is the files of a volume, to be read. It is an [fs.ReadDirFS], [fs.StatFS],
// [fs.ReadFileFS], [fs.ReadLinkFS] and [filetree.TreeFS], and may be used by
// several goroutines.
//
// Symbolic links are followed as if the volume were the root file system: those
// that are absolute begin at its root, and none leads out of it. Names need not be
// UTF-8. The Sys of a file info is a [*filetree.Entry] with all that is known.
type FS struct {
	v    Volume
	size int64
	dirs dirCache
}

var (
	_ fs.ReadDirFS    = (*FS)(nil)
	_ fs.ReadFileFS   = (*FS)(nil)
	_ fs.StatFS       = (*FS)(nil)
	_ fs.ReadLinkFS   = (*FS)(nil)
	_ filetree.TreeFS = (*FS)(nil)
)

// New returns the files of a volume of size bytes.
func New(v Volume, size int64) *FS { return &FS{v: v, size: size} }

// Open opens a file. A regular one is an io.ReaderAt and io.Seeker; its holes read
// as zeros. What has no content, as a device, reads as empty.
func (f *FS) Open(name string) (fs.File, error) {
	child, file, err := f.find(name, true)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	i := &info{name: child.Name, file: file}
	switch file.Mode.Type() {
	case fs.ModeDir:
		return &openDir{fsys: f, info: i, id: child.ID, path: name}, nil
	case 0:
		c, err := file.Open()
		if err != nil {
			return nil, pathError("open", name, err)
		}
		return openFile{c.(*Content), i}, nil
	}
	return openFile{NewContent(bytes.NewReader(nil), 0), i}, nil
}

// Stat describes a file, and what it links to if it is a symbolic link.
func (f *FS) Stat(name string) (fs.FileInfo, error) { return f.stat("stat", name, true) }

// Lstat describes a file, be it a symbolic link.
func (f *FS) Lstat(name string) (fs.FileInfo, error) { return f.stat("lstat", name, false) }

func (f *FS) stat(op, name string, follow bool) (fs.FileInfo, error) {
	child, file, err := f.find(name, follow)
	if err != nil {
		return nil, pathError(op, name, err)
	}
	return &info{name: child.Name, file: file}, nil
}

// ReadLink returns the target of a symbolic link.
func (f *FS) ReadLink(name string) (string, error) {
	_, file, err := f.find(name, false)
	if err == nil && file.Mode.Type() != fs.ModeSymlink {
		err = fmt.Errorf("%w: not a symbolic link", fs.ErrInvalid)
	}
	if err != nil {
		return "", pathError("readlink", name, err)
	}
	return file.Target, nil
}

// ReadDir lists a directory in the order of its names.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	child, file, err := f.find(name, true)
	if err == nil && !file.Mode.IsDir() {
		err = fmt.Errorf("%w: not a directory", fs.ErrInvalid)
	}
	var list []fs.DirEntry
	if err == nil {
		list, err = f.entries(child.ID, name)
	}
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	return list, nil
}

func (f *FS) entries(dir ID, name string) ([]fs.DirEntry, error) {
	children, err := f.list(dir)
	if err != nil {
		return nil, err
	}
	list := make([]fs.DirEntry, len(children))
	for i := range children {
		list[i] = dirEntry{f, name, &children[i]}
	}
	return list, nil
}

// ReadFile reads a file whole. One that is larger than the volume, which has to be
// holes for the most part, is refused: memory has none.
func (f *FS) ReadFile(name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var b []byte
	if o, ok := file.(openFile); !ok {
		err = fmt.Errorf("%w: it is a directory", fs.ErrInvalid)
	} else if o.Size() > f.size {
		err = fmt.Errorf("file of %d bytes is larger than its volume of %d: read it in parts", o.Size(), f.size)
	} else {
		b = make([]byte, o.Size())
		_, err = io.ReadFull(o, b)
	}
	if err != nil {
		return nil, pathError("read", name, err)
	}
	return b, nil
}

// list returns what is in a directory, in the order of its names.
func (f *FS) list(dir ID) ([]Child, error) {
	if list, ok := f.dirs.get(dir); ok {
		return list, nil
	}
	list, err := f.v.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b Child) int { return strings.Compare(a.Name, b.Name) })
	for i, c := range list {
		switch {
		case strings.ContainsAny(c.Name, "/\x00"):
			return nil, fmt.Errorf("%w: directory has the name %q: want one without a slash and NUL", volume.ErrDamaged, c.Name)
		case c.ID == f.v.Root():
			return nil, fmt.Errorf("%w: %q in a directory is the root directory", volume.ErrDamaged, c.Name)
		case i > 0 && c.Name == list[i-1].Name:
			return nil, fmt.Errorf("%w: directory has the name %q twice", volume.ErrDamaged, c.Name)
		}
	}
	if err := f.dirs.put(dir, list); err != nil {
		return nil, err
	}
	return list, nil
}

// describe is Stat for a file whose type its directory knows.
func (f *FS) describe(c Child) (File, error) {
	file, err := f.v.Stat(c.ID)
	if err == nil && file.Mode.Type() != c.Type {
		err = fmt.Errorf("%w: its type is %q, and %q in its directory", volume.ErrDamaged, file.Mode.Type(), c.Type)
	}
	return file, err
}

func pathError(op, name string, err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
