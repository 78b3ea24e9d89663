package spec

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"github.com/drivebay/drivebay/image/filetree"
)

// tree returns the files of a content.
func (l *Layout) tree(ctx context.Context, object string, files []File) (_ *filetree.Tree, err error) {
	t := filetree.New()
	defer func() {
		if err != nil {
			_ = t.Close()
		}
	}()
	if _, err := t.Add(".", l.entry(fs.ModeDir|0o755)); err != nil {
		return nil, err
	}
	for i := range files {
		f := &files[i]
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if f.From == "" {
			err = l.add(t, f)
		} else {
			t, err = l.layer(t, f, i == 0)
		}
		if err != nil {
			name := objectName("file", f.Path+f.From, i)
			return nil, l.spec.fail(f.begin, object+": "+name, err)
		}
	}
	t.Sort()
	return t, nil
}

// layer puts the files of a source over a tree.
func (l *Layout) layer(t *filetree.Tree, f *File, first bool) (*filetree.Tree, error) {
	to, err := treePath(f.To)
	if err != nil {
		return t, err
	}
	if !first || to != "." || f.Exclude != nil || f.Override != nil || f.Owner != nil || f.Mode != nil || !f.Time.IsZero() || f.Whiteouts {
		return t, fmt.Errorf("layers: %w", ErrNotSupported)
	}
	source, err := filetree.FromDir(l.spec.path(f.From))
	if err != nil {
		return t, err
	}
	return source, nil
}

// entry returns an entry of a mode with what all files of a spec have where it
// does not say otherwise.
func (l *Layout) entry(mode fs.FileMode) filetree.Entry {
	return filetree.Entry{Mode: mode, ModTime: l.Time}
}

// add puts a single file into a tree.
func (l *Layout) add(t *filetree.Tree, f *File) error {
	path, err := treePath(f.Path)
	if err != nil {
		return err
	}
	if f.Link != "" {
		target, err := treePath(f.Link)
		if err != nil {
			return err
		}
		_, err = t.Link(path, target)
		return err
	}
	e, err := l.newEntry(f)
	if err != nil {
		return err
	}
	_, err = t.Add(path, e)
	return err
}

// newEntry returns the entry of a single file.
func (l *Layout) newEntry(f *File) (e filetree.Entry, err error) {
	switch {
	case f.Text != nil:
		e = filetree.File([]byte(*f.Text), 0o644)
	case f.File != "":
		if e, err = fileEntry(l.spec.path(f.File)); err != nil {
			return e, err
		}
	case f.Directory:
		e = filetree.Dir(0o755)
	case f.Symlink != "":
		e = filetree.Symlink(f.Symlink)
	case f.FIFO:
		e.Mode = fs.ModeNamedPipe | 0o644
	case f.Device != nil:
		e.Mode = fs.ModeDevice | fs.ModeCharDevice | 0o600
		if f.Device.Block {
			e.Mode &^= fs.ModeCharDevice
		}
		e.Device = filetree.Device{Major: f.Device.Major, Minor: f.Device.Minor}
	}
	e.ModTime = l.Time
	if !f.Time.IsZero() {
		e.ModTime = f.Time
	}
	if f.Owner != nil {
		e.UID, e.GID = f.Owner.UID, f.Owner.GID
	}
	if f.Mode != nil {
		e.Mode = e.Mode.Type() | f.Mode.FileMode()
	}
	for _, x := range f.Xattrs {
		e.Xattrs = append(e.Xattrs, filetree.Xattr{Name: x.Name, Value: x.Value})
	}
	return e, nil
}

// fileEntry returns the entry of a regular file with the content of the file
// name. Its permissions are not the building machine's, but for one thing: a
// program stays one.
func fileEntry(name string) (filetree.Entry, error) {
	info, err := os.Stat(name)
	if err != nil {
		return filetree.Entry{}, err
	}
	if !info.Mode().IsRegular() {
		return filetree.Entry{}, fmt.Errorf("%s: is of type %s: want a regular file", name, info.Mode().Type())
	}
	e := filetree.Entry{Mode: 0o644, Size: info.Size(), Open: func() (filetree.Content, error) { return os.Open(name) }}
	if info.Mode()&0o100 != 0 {
		e.Mode = 0o755
	}
	return e, nil
}
