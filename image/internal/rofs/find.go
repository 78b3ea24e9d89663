package rofs

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// maxLinks is how many symbolic links a path may lead through, as Linux has it
// (include/linux/namei.h, MAXSYMLINKS).
const maxLinks = 40

// find looks a path up, and follows a link that it ends with where asked to.
func (f *FS) find(path string, follow bool) (Child, File, error) {
	if !valid(path) {
		return Child{}, File{}, fs.ErrInvalid
	}
	root := Child{Name: ".", ID: f.v.Root(), Type: fs.ModeDir}
	way := []Child{root} // from the root to where we are
	links := 0
	for rest := path; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			way = way[:max(1, len(way)-1)]
			continue
		}
		child, err := f.lookup(way[len(way)-1], name)
		if err != nil {
			return Child{}, File{}, err
		}
		if child.Type != fs.ModeSymlink || rest == "" && !follow {
			way = append(way, child)
			continue
		}
		if links++; links > maxLinks {
			return Child{}, File{}, fmt.Errorf("more than %d symbolic links", maxLinks)
		}
		link, err := f.describe(child)
		if err != nil {
			return Child{}, File{}, err
		}
		if strings.HasPrefix(link.Target, "/") {
			way = way[:1]
		}
		rest = link.Target + "/" + rest
	}
	found := way[len(way)-1]
	file, err := f.describe(found)
	if last := path[strings.LastIndexByte(path, '/')+1:]; last != "." {
		found.Name = last // a link's own, whatever it leads to
	}
	return found, file, err
}

// lookup finds a name in a directory.
func (f *FS) lookup(dir Child, name string) (Child, error) {
	if dir.Type != fs.ModeDir {
		return Child{}, fmt.Errorf("%w: %q is not a directory", fs.ErrNotExist, dir.Name)
	}
	list, err := f.list(dir.ID)
	if err != nil {
		return Child{}, err
	}
	i, ok := slices.BinarySearchFunc(list, name, func(c Child, name string) int { return strings.Compare(c.Name, name) })
	if !ok {
		return Child{}, fs.ErrNotExist
	}
	return list[i], nil
}

// valid is [fs.ValidPath] for names that need not be UTF-8.
func valid(path string) bool {
	if path == "." {
		return true
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." || strings.Contains(name, "\x00") {
			return false
		}
	}
	return true
}
