package filetree

import (
	"errors"
	"io/fs"
	"os"
)

// tempFile is a file that is gone when it is closed.
type tempFile struct {
	*os.File
	named bool // it could not be removed while it is open
}

// newNamedTempFile makes a file with a name, which it removes at once where the
// system allows that.
func newNamedTempFile() (*tempFile, error) {
	f, err := os.CreateTemp("", "filetree-*.tar")
	if err != nil {
		return nil, err
	}
	return &tempFile{File: f, named: os.Remove(f.Name()) != nil}, nil
}

// Close may be called again.
func (f *tempFile) Close() error {
	err := f.File.Close()
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	if f.named {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
