package rofs

import (
	"io"
	"io/fs"
	"time"
)

// Content is the content of a regular file: an io.ReaderAt and io.Seeker that
// knows its Size.
type Content struct{ *io.SectionReader }

// NewContent returns a content of size bytes.
func NewContent(r io.ReaderAt, size int64) *Content {
	return &Content{io.NewSectionReader(r, 0, size)}
}

// Close does nothing: the volume's owner closes it.
func (*Content) Close() error { return nil }

// openFile is a file that is no directory.
type openFile struct {
	*Content
	info *info
}

func (o openFile) Stat() (fs.FileInfo, error) { return o.info, nil }

// openDir is a directory, with what has not been read of it.
type openDir struct {
	fsys *FS
	info *info
	id   ID
	path string
	rest []fs.DirEntry
	read bool
}

func (o *openDir) Stat() (fs.FileInfo, error) { return o.info, nil }
func (o *openDir) Close() error               { return nil }

func (o *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: o.path, Err: fs.ErrInvalid}
}

// ReadDir makes openDir an [fs.ReadDirFile].
func (o *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !o.read {
		list, err := o.fsys.entries(o.id, o.path)
		if err != nil {
			return nil, pathError("readdir", o.path, err)
		}
		o.rest, o.read = list, true
	}
	if n <= 0 {
		n = len(o.rest)
	} else if len(o.rest) == 0 {
		return nil, io.EOF
	}
	list := o.rest[:min(n, len(o.rest))]
	o.rest = o.rest[len(list):]
	return list, nil
}

// dirEntry is a file in a directory.
type dirEntry struct {
	fsys  *FS
	dir   string
	child *Child
}

func (d dirEntry) Name() string      { return d.child.Name }
func (d dirEntry) IsDir() bool       { return d.child.Type == fs.ModeDir }
func (d dirEntry) Type() fs.FileMode { return d.child.Type }
func (d dirEntry) String() string    { return fs.FormatDirEntry(d) }

func (d dirEntry) Info() (fs.FileInfo, error) {
	file, err := d.fsys.describe(*d.child)
	if err != nil {
		return nil, pathError("lstat", join(d.dir, d.child.Name), err)
	}
	return &info{name: d.child.Name, file: file}, nil
}

// info is an [fs.FileInfo].
type info struct {
	name string
	file File
}

func (i *info) Name() string       { return i.name }
func (i *info) Mode() fs.FileMode  { return i.file.Mode }
func (i *info) ModTime() time.Time { return i.file.ModTime }
func (i *info) IsDir() bool        { return i.file.Mode.IsDir() }
func (i *info) Sys() any           { return &i.file.Entry }
func (i *info) String() string     { return fs.FormatFileInfo(i) }

// Size returns what the system's stat would.
func (i *info) Size() int64 {
	if i.file.Mode.Type() == fs.ModeSymlink {
		return int64(len(i.file.Target))
	}
	return i.file.Size
}
