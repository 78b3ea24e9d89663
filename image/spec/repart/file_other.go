//go:build !linux

package repart

import (
	"os"

	"github.com/drivebay/drivebay/image/filetree"
)

// fileEntry returns the entry of a single regular file.
func fileEntry(name string) (filetree.Entry, error) {
	info, err := os.Stat(name)
	if err != nil {
		return filetree.Entry{}, err
	}
	return filetree.Entry{
		Mode: info.Mode(), ModTime: info.ModTime(), Size: info.Size(),
		Open: func() (filetree.Content, error) { return os.Open(name) },
	}, nil
}
