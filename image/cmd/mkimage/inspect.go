package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
)

func inspectCommand(f *flag.FlagSet) func(context.Context, env, []string) error {
	asJSON := f.Bool("json", false, "")
	files := f.Bool("files", false, "")
	return func(ctx context.Context, e env, args []string) error {
		img, err := openImage(args[0])
		if err != nil {
			return err
		}
		defer img.Close()
		d, err := img.open()
		if err != nil {
			return err
		}
		// What cannot be measured is not shown; --files says why.
		_ = d.Measure()
		w := bufio.NewWriter(e.stdout)
		i := inspector{ctx: ctx, disk: d, w: w}
		switch {
		case *asJSON && *files:
			err = i.jsonFiles()
		case *asJSON:
			err = printJSON(w, d)
		case *files:
			err = i.textFiles()
		default:
			_, err = fmt.Fprint(w, d)
		}
		return errors.Join(err, w.Flush())
	}
}

// inspector lists the files of a disk.
type inspector struct {
	ctx  context.Context
	disk *image.Disk
	w    io.Writer
}

// fileRecord is a file for machines.
type fileRecord struct {
	Partition int       `json:"partition"`
	Path      string    `json:"path"`
	Type      string    `json:"type"`
	Mode      string    `json:"mode"`
	UID       uint32    `json:"uid"`
	GID       uint32    `json:"gid"`
	Size      int64     `json:"size"`
	ModTime   time.Time `json:"modTime"`
	Target    string    `json:"target,omitempty"`
	Device    string    `json:"device,omitempty"`
	// Xattrs are the names of the extended attributes, and LinkTo the first name
	// of a file of which Path is a further one.
	Xattrs []string `json:"xattrs,omitempty"`
	LinkTo string   `json:"linkTo,omitempty"`
}

// walk calls fn for each file of a partition but its root. A format that cannot
// be read is an [image.ErrFormat].
func (i *inspector) walk(part *image.DiskPartition, fn func(n filetree.Node) error) error {
	files, err := i.disk.FS(part.Number)
	if err != nil {
		return err
	}
	tree, err := filetree.FromFS(files)
	if err != nil {
		return fmt.Errorf("partition %d: %w", part.Number, err)
	}
	return tree.Walk(func(n filetree.Node) error {
		if i.ctx.Err() != nil {
			return context.Cause(i.ctx)
		}
		if n.ID() == 0 {
			return nil
		}
		return fn(n)
	})
}

func (i *inspector) textFiles() error {
	fmt.Fprint(i.w, i.disk)
	for k := range i.disk.Partitions {
		part := &i.disk.Partitions[k]
		fmt.Fprintf(i.w, "\npartition %d:\n", part.Number)
		err := i.walk(part, func(n filetree.Node) error {
			_, err := fmt.Fprintf(i.w, "%s %5d %5d %12d  %s  %s%s\n", modeString(n.UnixMode()), n.UID(), n.GID(), n.Size(),
				n.ModTime().Format(time.RFC3339), printable(n.Path()), remarks(n))
			return err
		})
		if errors.Is(err, image.ErrFormat) {
			fmt.Fprintf(i.w, "not listed: %v\n", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// modeString returns type and permissions as ls prints them.
func modeString(mode uint16) string {
	b := []byte("?rwxrwxrwx")
	b[0] = fileTypes[mode&filetree.ModeType].letter
	for i := range 9 {
		if mode&(0o400>>i) == 0 {
			b[1+i] = '-'
		}
	}
	for i, special := range []struct {
		bit    uint16
		letter byte
	}{{0o4000, 's'}, {0o2000, 's'}, {0o1000, 't'}} {
		if x := &b[3+3*i]; mode&special.bit != 0 {
			if *x == '-' {
				*x = special.letter - 'a' + 'A'
			} else {
				*x = special.letter
			}
		}
	}
	return string(b)
}

// printable returns a name as it is, or quoted where it would not be one on a line.
func printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) || !utf8.ValidString(name) {
		return strconv.Quote(name)
	}
	return name
}

// remarks returns what follows a name in a listing.
func remarks(n filetree.Node) string {
	s := ""
	switch kind := typeName(n); kind {
	case "symlink":
		s = " -> " + printable(n.Target())
	case "char", "block":
		s = fmt.Sprintf(" (%s %d:%d)", kind, n.Device().Major, n.Device().Minor)
	}
	if first := linkTo(n); first != "" {
		s += " == " + printable(first)
	}
	if names := xattrNames(n); len(names) > 0 {
		s += " [" + printable(strings.Join(names, " ")) + "]"
	}
	return s
}

// linkTo returns the name of the file that n is a further name of, "" for none.
func linkTo(n filetree.Node) string {
	if n.Inode() == n {
		return ""
	}
	return n.Inode().Path()
}

func xattrNames(n filetree.Node) (names []string) {
	for _, x := range n.Xattrs() {
		names = append(names, x.Name)
	}
	return names
}

// jsonFiles prints the disk's object with one more key, file by file.
func (i *inspector) jsonFiles() error {
	b, err := json.MarshalIndent(i.disk, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(i.w, "%s,\n  \"files\": [", bytes.TrimSuffix(b, []byte("\n}")))
	separator := "\n    "
	for k := range i.disk.Partitions {
		part := &i.disk.Partitions[k]
		err := i.walk(part, func(n filetree.Node) error {
			b, err := json.Marshal(record(part.Number, n))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(i.w, "%s%s", separator, b)
			separator = ",\n    "
			return err
		})
		if err != nil && !errors.Is(err, image.ErrFormat) {
			return err
		}
	}
	_, err = fmt.Fprintln(i.w, "\n  ]\n}")
	return err
}

func record(partition int, n filetree.Node) fileRecord {
	r := fileRecord{
		Partition: partition, Path: n.Path(), Type: typeName(n), Mode: fmt.Sprintf("%04o", n.UnixMode()&0o7777),
		UID: n.UID(), GID: n.GID(), Size: n.Size(), ModTime: n.ModTime(), Target: n.Target(),
		Xattrs: xattrNames(n), LinkTo: linkTo(n),
	}
	if r.Type == "char" || r.Type == "block" {
		r.Device = fmt.Sprintf("%d:%d", n.Device().Major, n.Device().Minor)
	}
	return r
}

// fileTypes are the types of files: the letter that ls has for them, and the name
// that they have for machines.
var fileTypes = map[uint16]struct {
	letter byte
	name   string
}{
	filetree.ModeSocket:  {'s', "socket"},
	filetree.ModeSymlink: {'l', "symlink"},
	filetree.ModeRegular: {'-', "file"},
	filetree.ModeBlock:   {'b', "block"},
	filetree.ModeDir:     {'d', "directory"},
	filetree.ModeChar:    {'c', "char"},
	filetree.ModeFIFO:    {'p', "fifo"},
}

func typeName(n filetree.Node) string { return fileTypes[n.UnixMode()&filetree.ModeType].name }
