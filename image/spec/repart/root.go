package repart

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many symbolic links are followed on the way to a file, as in the
// kernel.
const maxLinks = 40

// resolve returns where a path of the definitions is on this machine: below the
// root directory, as if that were "/" for symbolic links, too.
func (d *Definitions) resolve(name string) (string, error) {
	root := d.options.Root
	if root == "" {
		return name, nil
	}
	todo := strings.Split(name, "/")
	at, links := "/", 0
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		at = filepath.Join(at, next) // of "/..", "/"
		info, err := os.Lstat(filepath.Join(root, at))
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			continue // a file that is missing is for the caller to find
		}
		if err != nil {
			return "", err
		}
		target, err := os.Readlink(filepath.Join(root, at))
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "open", Path: filepath.Join(root, name), Err: fmt.Errorf("over %d symbolic links", maxLinks)}
		}
		if at = filepath.Dir(at); strings.HasPrefix(target, "/") {
			at = "/"
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return filepath.Join(root, at), nil
}
