// Package tempfile makes temporary files that nothing is left of, whatever ends
// the process, where the system can do that.
package tempfile

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
)

// File is a file that is gone when it is closed.
type File struct {
	*os.File
	named bool // it could not be removed while it is open
}

// Create makes a file in dir, which the caller closes. An empty dir is
// [os.TempDir]. Where the file has a name for a moment, or until it is closed, it
// begins with prefix.
func Create(dir, prefix string) (*File, error) {
	return create(cmp.Or(dir, os.TempDir()), prefix)
}

// createNamed makes a file with a name, which it removes at once where the system
// allows that.
func createNamed(dir, prefix string) (*File, error) {
	f, err := os.CreateTemp(dir, prefix+"-*")
	if err != nil {
		return nil, err
	}
	return &File{File: f, named: os.Remove(f.Name()) != nil}, nil
}

// Close may be called again.
func (f *File) Close() error {
	err := f.File.Close()
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	if f.named {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
