package spec

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/drivebay/drivebay/image/filetree"
)

// check refuses what a mapping says that has no meaning, or none together with
// the rest of it. Sizes and places are left to the plan of the layout, which knows
// more.
func (d *decoder) check(s *Spec) {
	if s.has("sector-size") && s.SectorSize != 512 && s.SectorSize != 4096 {
		d.failAt(s.of("sector-size"), fmt.Errorf("sector-size %d: want 512 or 4096", s.SectorSize))
	}
	for i := range s.Partitions {
		p := &s.Partitions[i]
		d.within(objectName("partition", p.Name, i), func() {
			if strings.ContainsAny(p.Split, "/\\") {
				d.failAt(p.of("split"), fmt.Errorf("split %q: want a name that a file can have, or - for none", p.Split))
			}
			if p.Content != nil {
				d.within("content", func() { d.checkContent(p.Content) })
			}
		})
	}
	for i := range s.Blobs {
		b := &s.Blobs[i]
		d.within(objectName("blob", b.Name, i), func() { d.checkBlob(b) })
	}
}

// objectName returns what errors call an item of a list.
func objectName(kind, name string, i int) string {
	if name == "" {
		return fmt.Sprintf("%s %d", kind, i+1)
	}
	return fmt.Sprintf("%s %q", kind, name)
}

func (d *decoder) checkContent(c *Content) {
	f, ok := formats[c.Format]
	switch {
	case c.Format == "":
		d.failAt(c.begin, fmt.Errorf("no format: want one of %s", strings.Join(formatNames(), ", ")))
		return
	case !ok:
		d.failAt(c.of("format"), fmt.Errorf("format %q: want one of %s", c.Format, strings.Join(formatNames(), ", ")))
		return
	}
	for key, pos := range c.keys {
		if key != "format" && !slices.Contains(f.keys, key) {
			d.failAt(pos, fmt.Errorf("key %s: format %s has none: it has %s", key, c.Format, strings.Join(f.keys, ", ")))
		}
	}
	d.checkWanted(c)
	switch {
	case (c.Format == "raw" || c.Format == "grub-core") && c.File == "":
		d.failAt(c.begin, fmt.Errorf("no file: format %s wants the file that it is copied from", c.Format))
	case c.has("fat-type") && c.FATType != 12 && c.FATType != 16 && c.FATType != 32:
		d.failAt(c.of("fat-type"), fmt.Errorf("fat-type %d: want 12, 16 or 32", c.FATType))
	case c.Format == "iso9660":
		d.checkISO9660(c)
	}
	for i := range c.Files {
		f := &c.Files[i]
		name := cmp.Or(f.Path, f.From)
		d.within(objectName("file", name, i), func() { d.checkFile(f) })
	}
}

// What can be said of files by their keys: of those of a source, and of a single
// one by what it is.
var (
	sourceKeys = []string{"from", "to", "exclude", "override", "whiteouts", "duplicates", "owner", "mode", "dir-mode", "time"}
	entryKeys  = []string{"path", "owner", "mode", "time", "xattrs", "sign"}
	entryKinds = []string{"text", "file", "directory", "symlink", "link", "device", "fifo", "uki"}
)

// checkFile refuses a file that is two things, or none.
func (d *decoder) checkFile(f *File) {
	if f.has("from") == f.has("path") {
		d.failAt(f.begin, errors.New("want either from, a directory or an archive to take files from, or path, a file to be made"))
		return
	}
	allowed := sourceKeys
	if f.has("path") {
		allowed = slices.Concat(entryKeys, entryKinds)
	}
	for key, pos := range f.keys {
		if !slices.Contains(allowed, key) {
			d.failAt(pos, fmt.Errorf("key %s: want none but %s", key, strings.Join(allowed, ", ")))
		}
	}
	for _, key := range []string{"path", "to"} {
		if value := map[string]string{"path": f.Path, "to": f.To}[key]; f.has(key) {
			if _, err := treePath(value); err != nil {
				d.failAt(f.of(key), fmt.Errorf("%s %q: %w", key, value, err))
			}
		}
	}
	if f.has("path") {
		d.checkEntry(f)
		return
	}
	if f.From == "" {
		d.failAt(f.of("from"), errors.New("from is empty: want a directory or an archive"))
	}
	if f.has("duplicates") && f.Duplicates != duplicatesLast {
		d.failAt(f.of("duplicates"), fmt.Errorf("duplicates %q: want %s, or no such key to refuse them", f.Duplicates, duplicatesLast))
	}
	if err := checkPatterns(filetree.Layer{Exclude: f.Exclude}); err != nil {
		d.failAt(f.of("exclude"), err)
	}
	for i := range f.Override {
		o := &f.Override[i]
		d.within(objectName("override", o.Match, i), func() {
			if o.Match == "" {
				d.failAt(o.begin, errors.New("no match: want the pattern of the files"))
			}
			if !o.has("owner") && !o.has("mode") && !o.has("dir-mode") && !o.has("time") {
				d.failAt(o.begin, errors.New("want owner, mode, dir-mode or time"))
			}
			if err := checkPatterns(filetree.Layer{Overrides: []filetree.Override{{Match: o.Match}}}); err != nil {
				d.failAt(o.of("match"), err)
			}
		})
	}
}

// checkPatterns refuses patterns that have no meaning.
func checkPatterns(l filetree.Layer) error {
	_, err := filetree.Merge(l)
	return err
}

// checkEntry refuses a single file that is two things, or none.
func (d *decoder) checkEntry(f *File) {
	if f.Sign != nil {
		d.within("sign", func() { d.checkSign(f) })
	}
	var kinds []string
	for _, kind := range entryKinds {
		if f.has(kind) {
			kinds = append(kinds, kind)
		}
	}
	switch {
	case len(kinds) != 1:
		d.failAt(f.begin, fmt.Errorf("want one of %s: what the file is", strings.Join(entryKinds, ", ")))
	case kinds[0] == "directory" && !f.Directory, kinds[0] == "fifo" && !f.FIFO:
		d.failAt(f.of(kinds[0]), fmt.Errorf("%s false: want true, or one of the others", kinds[0]))
	case kinds[0] == "file" && f.File == "", kinds[0] == "symlink" && f.Symlink == "":
		d.failAt(f.of(kinds[0]), fmt.Errorf("%s is empty", kinds[0]))
	case kinds[0] == "link":
		if _, err := treePath(f.Link); err != nil {
			d.failAt(f.of("link"), fmt.Errorf("link %q: %w", f.Link, err))
		}
		for _, key := range []string{"owner", "mode", "time", "xattrs"} {
			if f.has(key) {
				d.failAt(f.of(key), fmt.Errorf("key %s: a link has what the file has that it is a name of", key))
			}
		}
	case kinds[0] == "uki" && f.UKI != nil:
		d.within("uki", func() { d.checkUKI(f.UKI) })
	case kinds[0] == "symlink" && f.has("mode"):
		d.failAt(f.of("mode"), errors.New("key mode: symbolic links have no permissions"))
	case f.Path == "/" && kinds[0] != "directory":
		d.failAt(f.of("path"), errors.New("path /: it is a directory"))
	}
}

// treePath returns a path of the image as a tree has it: relative to the root.
func treePath(name string) (string, error) {
	if !strings.HasPrefix(name, "/") {
		return "", errors.New("want a path that begins at the root of the image, such as /etc")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New("want a path without \"..\"")
		}
	}
	if clean := path.Clean(name); clean != "/" {
		return clean[1:], nil
	}
	return ".", nil
}
