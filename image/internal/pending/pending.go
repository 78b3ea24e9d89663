// Package pending makes files that appear under their names when they are
// complete, and of which nothing is to be seen until then.
package pending

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file that is not yet to be seen under its name.
type File struct {
	*os.File
	name string // the name it is to have
	temp string // the name it has, "" for none
	done bool
}

// Create creates a file that is to be called name, in the same directory. What
// has that name already may only be a regular file. The file has to be discarded
// in any case.
func Create(name string) (*File, error) {
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
