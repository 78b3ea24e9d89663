package spec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
)

// tree returns the files of a content.
func (l *Layout) tree(ctx context.Context, object string, files []File) (*filetree.Tree, error) {
	b := &builder{layout: l}
	if !files[0].isPlain() {
		// Somebody has to say what the root is, for want of a source's.
		b.list = []filetree.Layer{{Tree: filetree.New()}}
		root := filetree.Dir(0o755)
		root.ModTime = l.Time
		if _, err := b.list[0].Tree.Add(".", root); err != nil {
			return nil, err
		}
	}
	for i := range files {
		f := &files[i]
		err := context.Cause(ctx)
		if err == nil {
			err = b.add(f)
		}
		if err != nil {
			object += ": " + objectName("file", cmp.Or(f.Path, f.From), i)
			return nil, errors.Join(l.spec.fail(f.begin, object, err), b.close())
		}
	}
	if err := b.merge(); err != nil {
		return nil, errors.Join(l.spec.fail(files[0].begin, object, err), b.close())
	}
	b.list[0].Tree.Sort()
	return b.list[0].Tree, nil
}

// isPlain reports whether files are those of a source just as they are.
func (f *File) isPlain() bool {
	return f.From != "" && path.Clean(cmp.Or(f.To, "/")) == "/" && len(f.Exclude) == 0 && len(f.overrides()) == 0 && !f.Whiteouts
}

// builder puts the files of a content together.
type builder struct {
	layout *Layout
	list   []filetree.Layer
	made   *filetree.Tree // the last layer, where it is of files made one by one
}

// add adds the files that an item of a spec describes.
func (b *builder) add(f *File) error {
	if f.From != "" {
		layer, err := b.layout.source(f)
		if err != nil {
			return err
		}
		b.list, b.made = append(b.list, layer), nil
		return nil
	}
	name, err := treePath(f.Path)
	if err != nil {
		return err
	}
	if f.Link != "" {
		return b.link(name, f.Link)
	}
	e, err := b.layout.entry(f)
	if err != nil {
		return err
	}
	return b.put(func(t *filetree.Tree) error {
		_, err := t.Add(name, e)
		return err
	})
}

// put adds a file to the last layer. What takes the place of another file of that
// layer is one more layer.
func (b *builder) put(add func(t *filetree.Tree) error) error {
	if b.made != nil {
		err := add(b.made)
		if !errors.Is(err, filetree.ErrExist) && !errors.Is(err, filetree.ErrNotDir) {
			return err
		}
	}
	b.made = filetree.New()
	b.list = append(b.list, filetree.Layer{Tree: b.made})
	return add(b.made)
}

// link adds a hard link. Its target may be in any layer.
func (b *builder) link(name, target string) error {
	target, err := treePath(target)
	if err != nil {
		return err
	}
	if err := b.merge(); err != nil {
		return err
	}
	b.made = nil
	_, err = b.list[0].Tree.Link(name, target)
	return err
}

// merge makes one layer of all.
func (b *builder) merge() error {
	if len(b.list) == 1 && b.list[0].To == "" {
		return nil
	}
	t, err := filetree.Merge(b.list...)
	if err != nil {
		return err
	}
	b.list = []filetree.Layer{{Tree: t}}
	return nil
}

func (b *builder) close() error {
	var errs []error
	for _, l := range b.list {
		errs = append(errs, l.Tree.Close())
	}
	return errors.Join(errs...)
}

// source opens a directory or an archive.
func (l *Layout) source(f *File) (layer filetree.Layer, err error) {
	if layer.To, err = treePath(cmp.Or(f.To, "/")); err != nil {
		return layer, err
	}
	if layer.To == "." {
		layer.To = ""
	}
	layer.Exclude, layer.Overrides, layer.Whiteouts = f.Exclude, f.overrides(), f.Whiteouts
	name := l.spec.path(f.From)
	l.Sources = append(l.Sources, Source{Path: name, Exclude: f.Exclude})
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return layer, err
	case info.IsDir():
		layer.Tree, err = filetree.FromDir(name)
	case info.Mode().IsRegular():
		layer.Tree, err = filetree.TarOptions{LastWins: f.Duplicates == duplicatesLast}.Open(name)
	default:
		err = fmt.Errorf("%s: is of type %s: want a directory or an archive", name, info.Mode().Type())
	}
	return layer, err
}

// overrides returns what is to be changed of a source's files: of all, and then
// of those that match.
func (f *File) overrides() []filetree.Override {
	var list []filetree.Override
	if f.Owner != nil || f.Mode != nil || f.DirMode != nil || !f.Time.IsZero() {
		list = append(list, override("", f.Owner, f.Mode, f.DirMode, f.Time))
	}
	for _, o := range f.Override {
		list = append(list, override(o.Match, o.Owner, o.Mode, o.DirMode, o.Time))
	}
	return list
}

func override(match string, owner *Owner, mode, dirMode *Mode, t time.Time) filetree.Override {
	o := filetree.Override{Match: match, Mode: mode.fileMode(), DirMode: dirMode.fileMode()}
	if owner != nil {
		o.UID, o.GID = &owner.UID, &owner.GID
	}
	if !t.IsZero() {
		o.ModTime = &t
	}
	return o
}

// entry returns the entry of a single file.
func (l *Layout) entry(f *File) (e filetree.Entry, err error) {
	signer, err := l.signer(f.Sign)
	if err != nil {
		return e, err
	}
	switch {
	case f.Text != nil:
		e = filetree.File([]byte(*f.Text), 0o644)
	case f.File != "":
		name := l.spec.path(f.File)
		l.Sources = append(l.Sources, Source{Path: name})
		if e, err = fileEntry(name); err == nil && signer != nil {
			e, err = signer.Entry(e)
		}
		if err != nil {
			return e, err
		}
	case f.Directory:
		e = filetree.Dir(0o755)
	case f.Symlink != "":
		e = filetree.Symlink(f.Symlink)
	case f.FIFO:
		e.Mode = fs.ModeNamedPipe | 0o644
	case f.UKI != nil:
		if e, err = l.uki(f.UKI, signer); err != nil {
			return e, err
		}
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
