package initramfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// MaxName is the length in bytes of the longest name that a kernel unpacks: its
// PATH_MAX less the NUL.
const MaxName = 4095

// Entry is what an archive holds under a name.
type Entry struct {
	// Mode is the type and the permission bits, set-user-ID, set-group-ID and
	// sticky included. Types are regular files (0), directories, symbolic links,
	// character and block devices, and named pipes.
	Mode fs.FileMode

	// Data is the content of a regular file, or the target of a symbolic link.
	// The archive keeps the slice.
	Data []byte

	// Open and Size replace Data for a regular file that is better read when the
	// archive is written. Open has to give Size bytes, no fewer and no more.
	Open func() (io.ReadCloser, error)
	Size int64

	// Major and Minor are the number of a device.
	Major, Minor uint32
}

// Archive is a tree that can be written as an initramfs. The zero value is an
// empty tree.
type Archive struct {
	entries map[string]Entry
}

// Add puts an entry under a name: relative, slashed, without "." and "..".
// Directories above it that are missing are made with mode 0755. A name can be
// added once; a directory again, which changes its mode.
func (a *Archive) Add(name string, e Entry) error {
	if err := e.check(name); err != nil {
		return fmt.Errorf("add %q to initramfs: %w", name, err)
	}
	if a.entries == nil {
		a.entries = map[string]Entry{}
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if above, ok := a.entries[dir]; !ok {
			a.entries[dir] = Entry{Mode: fs.ModeDir | 0o755}
		} else if !above.Mode.IsDir() {
			return fmt.Errorf("add %q to initramfs: %q is no directory", name, dir)
		}
	}
	if old, ok := a.entries[name]; ok && !(old.Mode.IsDir() && e.Mode.IsDir()) {
		return fmt.Errorf("add %q to initramfs: the name is taken", name)
	}
	a.entries[name] = e
	return nil
}

// Has reports whether the archive holds a name.
func (a *Archive) Has(name string) bool {
	_, ok := a.entries[name]
	return ok
}

// check returns why the entry cannot be written under the name.
func (e Entry) check(name string) error {
	switch {
	case !fs.ValidPath(name) || name == ".":
		return errors.New("the name has to be a relative path, with no dots for folders")
	case len(name) > MaxName:
		return fmt.Errorf("the name has %d bytes, at most are %d", len(name), MaxName)
	case strings.ContainsRune(name, 0):
		return errors.New("the name holds a NUL")
	case name == trailer:
		return errors.New("the name means the end of the archive")
	case e.size() < 0 || e.size() > maxSize:
		return fmt.Errorf("its size %d is not from 0 to %d", e.size(), int64(maxSize))
	}
	if _, err := unixMode(e.Mode); err != nil {
		return err
	}
	content := len(e.Data) > 0 || e.Open != nil
	link := e.Mode.Type() == fs.ModeSymlink
	switch {
	case link && (len(e.Data) == 0 || len(e.Data) > MaxName || e.Open != nil):
		return fmt.Errorf("a symbolic link has a target of 1 to %d bytes in Data", MaxName)
	case !link && !e.Mode.IsRegular() && content:
		return fmt.Errorf("%v has no content", e.Mode.Type())
	}
	return nil
}

func (e Entry) size() int64 {
	if e.Open != nil {
		return e.Size
	}
	return int64(len(e.Data))
}

func (e Entry) open() (io.ReadCloser, error) {
	if e.Open != nil {
		return e.Open()
	}
	return io.NopCloser(bytes.NewReader(e.Data)), nil
}

// WriteTo writes the archive and returns the number of bytes written, a multiple
// of 4. Archives may follow one another in a file: a kernel unpacks them in turn.
func (a *Archive) WriteTo(w io.Writer) (int64, error) {
	cw := &countingWriter{w: w}
	for i, name := range slices.Sorted(maps.Keys(a.entries)) {
		if err := a.entries[name].writeTo(cw, name, uint32(i+1)); err != nil {
			return cw.n, fmt.Errorf("write initramfs: %s: %w", name, err)
		}
	}
	end := header{Nlink: 1}
	if err := end.write(cw, trailer); err != nil {
		return cw.n, fmt.Errorf("write initramfs: %w", err)
	}
	return cw.n, nil
}

func (e Entry) writeTo(cw *countingWriter, name string, inode uint32) error {
	mode, err := unixMode(e.Mode)
	if err != nil {
		return err
	}
	h := header{
		Inode: inode, Mode: mode, Nlink: 1, FileSize: uint32(e.size()),
		RdevMajor: e.Major, RdevMinor: e.Minor,
	}
	if e.Mode.IsDir() {
		h.Nlink = 2
	}
	if err := h.write(cw, name); err != nil {
		return err
	}
	body, err := e.open()
	if err != nil {
		return err
	}
	defer body.Close()
	// One byte more than the header says tells a file that has grown.
	n, err := io.Copy(cw, io.LimitReader(body, e.size()))
	if err != nil {
		return err
	}
	if more, _ := body.Read(make([]byte, 1)); n != e.size() || more != 0 {
		return fmt.Errorf("it has changed its size, which was %d", e.size())
	}
	return cw.pad()
}

// countingWriter knows where in the archive it is.
type countingWriter struct {
	w io.Writer
	n int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.n += int64(n)
	return n, err
}

// pad fills up to the alignment of headers and contents.
func (w *countingWriter) pad() error {
	_, err := w.Write(make([]byte, -w.n&(align-1)))
	return err
}
