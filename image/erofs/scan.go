package erofs

import (
	"context"

	"github.com/drivebay/drivebay/image/filetree"
)

// numbered marks a node that has a number and no place yet.
const numbered = 1

// checkEvery is how many files are gone through between two looks at the context.
const checkEvery = 1 << 12

// scan numbers the inodes and counts their extended attributes. Numbers follow the
// tree and the names in it, not the order in which it was made: first the files of a
// directory, which are looked at together, then what is in its directories.
func (p *plan) scan(ctx context.Context) error {
	p.tree.Sort()
	p.nodeOf = make([]uint32, 0, p.tree.Len())
	p.nidOf = make([]uint64, p.tree.Len())
	if err := p.number(p.tree.Root()); err != nil {
		return err
	}
	if err := p.scanDir(ctx, p.tree.Root()); err != nil {
		return err
	}
	p.sharing.settle(p.tree)
	return nil
}

// scanDir numbers what is in a directory.
func (p *plan) scanDir(ctx context.Context, dir filetree.Node) error {
	from := len(p.nodeOf)
	for c := range dir.Children() {
		if n := c.Inode(); p.nidOf[n.ID()] != numbered {
			if err := p.number(n); err != nil {
				return err
			}
		}
		if len(p.nodeOf)%checkEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	for i, to := from, len(p.nodeOf); i < to; i++ {
		if n := p.node(i); n.IsDir() {
			if err := p.scanDir(ctx, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// number gives a node the next number.
func (p *plan) number(n filetree.Node) error {
	p.nodeOf = append(p.nodeOf, uint32(n.ID()))
	p.nidOf[n.ID()] = numbered
	return p.sharing.add(n)
}
