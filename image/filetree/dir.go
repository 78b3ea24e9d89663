package filetree

import "strings"

// FromDir returns the tree of a directory with everything that the system knows
// of its files: owners, modes, modification times to the nanosecond, devices,
// hard links, extended attributes and holes. Symbolic links are taken as such,
// and nothing outside the directory is read; what is mounted in it is inside.
// The times of access and of metadata's change are left out, since reading and
// copying change them.
//
// The directory stays open until the tree is closed. Contents are read
// when an image is written; a file that has changed by then is an [ErrChanged].
//
// On systems other than Linux there are no owners, devices, hard links, extended
// attributes and holes.
func FromDir(name string) (*Tree, error) {
	t := New()
	if err := t.readDir(name); err != nil {
		_ = t.Close()
		return nil, err
	}
	return t, nil
}

// readDir reads the directory called name.
func (t *Tree) readDir(name string) (err error) {
	defer Recover(&err)
	if err := readDir(t, name); err != nil {
		return err
	}
	t.Sort()
	return nil
}

// dirError returns the path of a file, called name, in the directory n of a tree
// that is read from the directory root. An empty name is that of n itself.
func dirError(root string, n Node, name string) string {
	path := strings.TrimSuffix(root, "/")
	if n.i != 0 {
		path += "/" + n.Path()
	}
	if name != "" {
		path += "/" + name
	}
	return path
}
