package mkfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/drivebay/drivebay/image/filetree"
)

// protofile tells mkfs.xfs what to put into a file system.
type protofile struct {
	*plan
	job      *job
	w        *bufio.Writer
	contents map[int]*os.File // by node
	file     *os.File
}

// write writes the file and returns its path.
func (p *protofile) write() (path string, err error) {
	p.contents = map[int]*os.File{}
	if p.file, err = unnamed(); err != nil {
		return "", err
	}
	p.w = bufio.NewWriter(p.file)
	// A boot program and two sizes, which mkfs.xfs reads and forgets.
	fmt.Fprintf(p.w, "/\n0 0\n")
	if err := p.put(p.tree.Root()); err != nil {
		return "", err
	}
	return procPath(p.file), p.w.Flush()
}

// put writes a node and what is below it.
func (p *protofile) put(n filetree.Node) error {
	if n.Parent() != n {
		p.w.WriteString(n.Name() + " ")
	}
	fmt.Fprintf(p.w, "%s %d %d", protoMode(n.Mode()), n.UID(), n.GID())
	switch n.Mode().Type() {
	case fs.ModeDir:
		p.w.WriteByte('\n')
		if err := p.children(n, p.put); err != nil {
			return err
		}
		p.w.WriteString("$")
	case fs.ModeSymlink:
		p.w.WriteString(" " + n.Target())
	case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
		fmt.Fprintf(p.w, " %d %d", n.Device().Major, n.Device().Minor)
	case 0:
		path, err := p.content(n.Inode())
		if err != nil {
			return err
		}
		p.w.WriteString(" " + path)
	}
	return p.w.WriteByte('\n')
}

// protoMode returns a mode as a protofile has it: a letter for the type, one each
// for setuid and setgid, three digits.
func protoMode(m fs.FileMode) string {
	b := []byte("---" + fmt.Sprintf("%03o", m.Perm()))
	switch m.Type() {
	case fs.ModeDir:
		b[0] = 'd'
	case fs.ModeSymlink:
		b[0] = 'l'
	case fs.ModeDevice:
		b[0] = 'b'
	case fs.ModeDevice | fs.ModeCharDevice:
		b[0] = 'c'
	case fs.ModeNamedPipe:
		b[0] = 'p'
	}
	if m&fs.ModeSetuid != 0 {
		b[1] = 'u'
	}
	if m&fs.ModeSetgid != 0 {
		b[2] = 'g'
	}
	return string(b)
}

// content copies a file's content to where mkfs.xfs can read it, and returns the
// path.
func (p *protofile) content(n filetree.Node) (string, error) {
	if n.Size() == 0 {
		return os.DevNull, nil
	}
	if f := p.contents[n.ID()]; f != nil {
		return procPath(f), nil
	}
	f, err := unnamed()
	if err != nil {
		return "", fmt.Errorf("%s, after %d of %d files: %w", n.Path(), len(p.contents), p.files, err)
	}
	p.contents[n.ID()] = f
	if err := p.job.ctx.Err(); err != nil {
		return "", err
	}
	return procPath(f), copyContent(f, n)
}

// copyContent writes the content of a regular file to f.
func copyContent(f *os.File, n filetree.Node) error {
	if err := f.Truncate(n.Size()); err != nil {
		return err
	}
	return n.Stream(func(r io.Reader, at filetree.Range) error {
		if _, err := f.Seek(at.Offset, io.SeekStart); err != nil {
			return err
		}
		_, err := io.CopyN(f, r, at.Length)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	})
}

func (p *protofile) close() {
	for _, f := range p.contents {
		_ = f.Close()
	}
	if p.file != nil {
		_ = p.file.Close()
	}
}

// procPath returns a path of an open file without a name, for other processes of
// the same user.
func procPath(f *os.File) string {
	return "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(int(f.Fd()))
}
