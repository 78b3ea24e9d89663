package mkfs

import (
	"fmt"
	"io/fs"

	"github.com/drivebay/drivebay/image/filetree"
)

// census is what a tree amounts to.
type census struct {
	files   int64 // names, the root included
	filled  int64 // regular files that are not empty, however many names they have
	bytes   int64 // of contents
	blocks  int64 // of 4 KiB, of contents and of directories
	largest int64 // bytes of the largest file
	used    int64 // what all of it is likely to take
	dropped []string
	out     map[int]bool // nodes that are left out
}

const blockSize = 4096

// scan counts the tree and decides what is lost of it.
func (p *plan) scan() error {
	var bad problems
	p.out = map[int]bool{}
	_ = p.tree.Walk(func(n filetree.Node) error {
		what, how := p.kind.loss(n)
		if how == fatal || how != none && !p.fs.Drop {
			bad.add(p.fs.Type, n, fmt.Errorf("%s: %w", what, ErrUnsupported))
		} else if how != none {
			p.dropped = append(p.dropped, n.Path()+": "+what)
		}
		if how == whole {
			p.out[n.ID()] = true
			if n.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		p.count(n)
		return nil
	})
	return bad.err()
}

func (c *census) count(n filetree.Node) {
	c.files++
	if n.Mode().IsRegular() && n.Size() > 0 && n.Inode() == n {
		c.filled++
	}
	c.bytes += n.Size()
	c.blocks += (n.Size() + blockSize - 1) / blockSize
	c.largest = max(c.largest, n.Size())
	if n.IsDir() {
		c.blocks++
	}
}

// children calls fn for what is left of a directory.
func (p *plan) children(dir filetree.Node, fn func(filetree.Node) error) error {
	for n := range dir.Children() {
		if p.out[n.ID()] {
			continue
		}
		if err := fn(n); err != nil {
			return err
		}
	}
	return nil
}
