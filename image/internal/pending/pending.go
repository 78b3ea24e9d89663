// Package pending makes files that appear under their names when they are
// complete, and of which nothing is to be seen until then.
package pending

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// maxLinks is how many symbolic links are followed, as in the kernel
// (include/linux/namei.h, MAXSYMLINKS).
const maxLinks = 40

// File is a file that is not yet to be seen under its name.
type File struct {
	*os.File
	name string // the name it is to have
	temp string // the name it has, "" for none
	done bool
}

// Create creates a file that is to be called name, in the same directory. Where
// name is a symbolic link, it is to be called what the link leads to, which need
// not be there, and the link stays. What has that name already may only be a
// regular file. The file has to be discarded in any case.
func Create(name string) (*File, error) {
	name, err := resolve(name)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "create", Path: name, Err: errors.New("it exists and is not a regular file")}
	}
	if f, err := createUnnamed(name); err == nil {
		return &File{File: f, name: name}, nil
	} else if !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.tmp")
	if err != nil {
		return nil, err
	}
	p := &File{File: f, name: name, temp: f.Name()}
	if err := f.Chmod(0o666 &^ umask()); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		p.Discard()
		return nil, err
	}
	return p, nil
}

// resolve follows symbolic links to the name that they lead to. Directories on the
// way are left to the system, hence the paths that are not cleaned.
func resolve(name string) (string, error) {
	at := name
	for range maxLinks {
		target, err := os.Readlink(at)
		if err != nil {
			return at, nil // no link; what else may be wrong with it shows when it is created
		}
		if !filepath.IsAbs(target) {
			dir, _ := filepath.Split(at)
			target = dir + target
		}
		at = target
	}
	return "", &fs.PathError{Op: "create", Path: name, Err: errors.New("too many symbolic links")}
}

// Target returns the name that the file is to have.
func (p *File) Target() string { return p.name }

// Take makes src, of size bytes, the file that is to be published, in place of the
// one that was created and that nothing has been written to, with the size of that
// one. It reports whether it could: on Linux it can where src has been opened
// without a name (O_TMPFILE) in the same directory, so that it is what a new file
// there would be. src remains the caller's to close.
func (p *File) Take(src *os.File, size int64) (bool, error) {
	own, err := p.Stat()
	if err != nil || p.temp != "" || own.Size() < size || !alike(src, p.File) {
		return false, err
	}
	f, err := duplicate(src, p.File.Name())
	if err != nil {
		return false, err
	}
	if err := errors.Join(f.Chmod(own.Mode()), f.Truncate(own.Size())); err != nil {
		return false, errors.Join(err, f.Close())
	}
	taken := p.File
	p.File = f
	return true, taken.Close()
}

// Publish gives the file its name and closes it. Where it is to be durable, the
// file and the name of it are on stable storage afterwards.
func (p *File) Publish(durable bool) error {
	if durable {
		if err := p.Sync(); err != nil {
			return err
		}
	}
	if p.temp == "" {
		temp, err := linkUnnamed(p.File, p.name)
		if err != nil {
			return err
		}
		p.temp = temp
	}
	if err := p.Close(); err != nil {
		return err
	}
	if p.temp != p.name {
		if err := os.Rename(p.temp, p.name); err != nil {
			return err
		}
	}
	p.done = true
	if durable {
		return syncDir(filepath.Dir(p.name))
	}
	return nil
}

// Discard closes and removes a file that has not been published. It may be called
// more than once.
func (p *File) Discard() {
	if p.done {
		return
	}
	_ = p.Close()
	if p.temp != "" && p.temp != p.name {
		_ = os.Remove(p.temp)
	}
}
