package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/spec"
)

// apart refuses an output that would take the place of a file that it is made of.
func apart(out, what, name string) error {
	info, err := os.Stat(out)
	if err != nil {
		return nil // there is nothing to lose
	}
	if in, err := os.Stat(name); err == nil && os.SameFile(in, info) {
		return usageError{err: fmt.Errorf("the output %s is %s: want another name", out, what)}
	}
	return nil
}

// outside refuses an output that is one of the sources, or inside of one, where
// the next build would take it for a part of the disk. Files are told by what they
// are and not by their names, of which links make many.
func outside(out string, sources []spec.Source) error {
	for _, s := range sources {
		if err := apart(out, "the source "+s.Path, s.Path); err != nil {
			return err
		}
		dir, err := os.Stat(s.Path)
		if err != nil || !dir.IsDir() {
			continue
		}
		below, ok := pathBelow(out, dir)
		if ok && !isExcluded(below, s.Exclude) {
			return usageError{err: fmt.Errorf("the output %s is inside of the source %s: want a place outside, or to have it left out (exclude, ExcludeFiles)", out, s.Path)}
		}
	}
	return nil
}

// pathBelow returns the path of a file, which need not exist, below a directory
// that it is in.
func pathBelow(name string, dir os.FileInfo) (below string, ok bool) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", false
	}
	below = filepath.Base(abs)
	at, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", false
	}
	for {
		info, err := os.Stat(at)
		if err != nil {
			return "", false
		}
		if os.SameFile(info, dir) {
			return below, true
		}
		up := filepath.Dir(at)
		if up == at {
			return "", false
		}
		below, at = filepath.Join(filepath.Base(at), below), up
	}
}

// isExcluded reports whether a file of a source is left out.
func isExcluded(name string, patterns []string) bool {
	tree := filetree.New()
	if _, err := tree.Add(filepath.ToSlash(name), filetree.File(nil, 0o644)); err != nil {
		return false
	}
	left, err := filetree.Merge(filetree.Layer{Tree: tree, Exclude: patterns})
	if err != nil {
		return false
	}
	_, ok := left.Lookup(filepath.ToSlash(name))
	return !ok
}
