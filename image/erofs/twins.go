package erofs

import (
	"context"
	"crypto/sha256"
	"io"

	"github.com/drivebay/drivebay/image/filetree"
)

// twin is a content that several files have. Its blocks are those of the first of
// them, all of it is in blocks, and the others have none of their own.
type twin struct {
	first uint32 // its node
	start int64  // its first block
	sum   [sha256.Size]byte
}

// findTwins reads the files that are as long as others, and takes down those whose
// contents are the same. It leaves out what takes no blocks for sure, and files with
// holes.
func (p *plan) findTwins(ctx context.Context) error {
	bySize := map[int64]int{}
	for i := range p.nodeOf {
		if n := p.node(i); p.mayBeTwin(n) {
			bySize[n.Size()]++
		}
	}
	p.twins = map[uint32]*twin{}
	bySum := map[[sha256.Size]byte]*twin{}
	for i, id := range p.nodeOf {
		n := p.node(i)
		if !p.mayBeTwin(n) || bySize[n.Size()] == 1 {
			continue
		}
		sum, err := sumOf(ctx, n)
		if err != nil {
			return err
		}
		t, ok := bySum[sum]
		if !ok {
			bySum[sum] = &twin{first: id, sum: sum}
			continue
		}
		p.twins[t.first], p.twins[id] = t, t
	}
	return nil
}

func (p *plan) mayBeTwin(n filetree.Node) bool {
	return n.Mode().IsRegular() && n.Size() >= p.blockSize && !hasHoles(n)
}

// sumOf reads a file for its checksum.
func sumOf(ctx context.Context, n filetree.Node) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	err = n.Stream(func(r io.Reader, at filetree.Range) error {
		for left := at.Length; left > 0; left -= copyLen {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if _, err := io.CopyN(h, r, min(left, copyLen)); err != nil {
				return err
			}
		}
		return nil
	})
	return [sha256.Size]byte(h.Sum(nil)), err
}

// writeTwins writes a content that several files have, and compares it with what it
// was when the plan was made: the others will not be read again.
func (x *writer) writeTwins(n filetree.Node, t *twin) error {
	h := sha256.New()
	err := n.Stream(func(r io.Reader, at filetree.Range) error {
		return x.copy(io.TeeReader(r, h), t.start*x.blockSize+at.Offset, at.Length)
	})
	if err == nil && [sha256.Size]byte(h.Sum(nil)) != t.sum {
		err = &filetree.PathError{Op: "read", Path: n.Path(), Err: filetree.ErrChanged}
	}
	return err
}
