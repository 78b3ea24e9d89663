package erofs

import (
	"context"
	"fmt"
	"io"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// copyLen is how much is copied between two looks at the context, in bytes.
const copyLen = 16 << 20

// writer writes a plan front to back.
type writer struct {
	*plan
	ctx  context.Context
	w    *volume.Writer
	meta []byte // of the group that is being written
	dir  dirBlock
	buf  []byte // a block of a directory
}

// Write implements [volume.Plan].
func (p *plan) Write(ctx context.Context, w *volume.Writer) error {
	x := &writer{
		plan: p, ctx: ctx, w: w,
		dir: dirBlock{size: int(p.blockSize)},
		buf: make([]byte, p.blockSize),
	}
	err := x.writeAll()
	if cause := w.Err(ctx); cause != nil {
		err = cause // and not an error of the file that it was met at
	}
	if err != nil {
		return fmt.Errorf("erofs: %w", err)
	}
	return nil
}

func (x *writer) writeAll() error {
	if err := x.writeFirstGroup(); err != nil {
		return err
	}
	for k := 1; k < len(x.groups); k++ {
		if err := x.writeGroup(k, contentTail|contentBlocks); err != nil {
			return err
		}
		if err := x.writeMeta(k); err != nil {
			return err
		}
	}
	return nil
}

// writeFirstGroup writes the metadata of the first group before the contents that it
// tells of.
func (x *writer) writeFirstGroup() error {
	if err := x.writeGroup(0, contentTail); err != nil {
		return err
	}
	x.putSuperblock(x.meta)
	if err := x.writeMeta(0); err != nil {
		return err
	}
	if err := x.writeShared(); err != nil {
		return err
	}
	return x.writeGroup(0, contentBlocks)
}

// content says which parts of the contents of files are written.
type content uint8

const (
	contentTail   content = 1 << iota // with the inodes, into the group's metadata
	contentBlocks                     // to the volume
)

// writeGroup goes through the inodes of a group.
func (x *writer) writeGroup(k int, what content) error {
	g := x.groups[k]
	if what&contentTail != 0 {
		x.meta = append(x.meta[:0], make([]byte, g.blocks*x.blockSize)...)
	}
	start := g.body
	for i := g.first; i < x.end(k); i++ {
		if err := x.w.Err(x.ctx); err != nil {
			return err
		}
		n := x.node(i)
		s, err := x.shape(n)
		if err != nil {
			return err
		}
		var tail []byte
		if what&contentTail != 0 {
			b := x.meta[x.nidOf[n.ID()]*slotLen-uint64(g.meta*x.blockSize):][:s.metaLen()]
			x.putInode(b, i, n, &s, start)
			tail = b[s.headLen():][:s.tail]
		}
		if err := x.writeContent(n, &s, start, tail, what); err != nil {
			return err
		}
		start += s.blocks
	}
	return nil
}

// writeMeta writes the metadata of a group, once all of it is put together.
func (x *writer) writeMeta(k int) error {
	if err := x.seek(x.groups[k].meta, 0); err != nil {
		return err
	}
	_, err := x.w.Write(x.meta)
	return err
}

// seek moves on to an offset from the start of a block.
func (x *writer) seek(block, off int64) error { return x.w.SkipTo(block*x.blockSize + off) }

// writeShared writes the attributes that several inodes have.
func (x *writer) writeShared() error {
	if err := x.seek(x.groups[0].blocks, 0); err != nil {
		return err
	}
	var b []byte
	for _, u := range x.sharing.uses {
		a := u.attr(x.tree)
		b = a.append(b[:0])
		if _, err := x.w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// writeContent writes parts of what is in a file, which begins at block start.
func (x *writer) writeContent(n filetree.Node, s *shape, start int64, tail []byte, what content) error {
	kind := n.UnixMode() & filetree.ModeType
	if kind == filetree.ModeRegular {
		if what == contentBlocks || s.size == 0 {
			return nil // it has none: see group
		}
		if s.twin == nil {
			return x.writeFile(n, s, start, tail)
		}
		if s.twin.first == uint32(n.ID()) {
			return x.writeTwins(n, s.twin)
		}
		return nil // the first has written it
	}
	if s.tail == 0 {
		what &^= contentTail
	}
	if s.blocks == 0 {
		what &^= contentBlocks
	}
	switch {
	case what == 0:
		return nil
	case kind == filetree.ModeDir:
		return x.writeDir(n, s, start, tail, what)
	}
	return x.writeTarget(n, s, start, tail, what)
}

// writeTarget writes what a symbolic link points to.
func (x *writer) writeTarget(n filetree.Node, s *shape, start int64, tail []byte, what content) error {
	target := n.Target()
	inBlocks := len(target) - s.tail
	copy(tail, target[inBlocks:])
	if what&contentBlocks == 0 {
		return nil
	}
	if err := x.seek(start, 0); err != nil {
		return err
	}
	_, err := io.WriteString(x.w, target[:inBlocks])
	return err
}

// writeDir writes a directory.
func (x *writer) writeDir(dir filetree.Node, s *shape, start int64, tail []byte, what content) error {
	at := int64(0) // of the block that is being filled
	flush := func() error {
		defer func() { at++ }()
		clear(x.buf)
		x.dir.put(x.buf)
		if at == s.blocks {
			copy(tail, x.buf)
			return nil
		}
		if what&contentBlocks == 0 {
			return nil
		}
		if err := x.seek(start+at, 0); err != nil {
			return err
		}
		_, err := x.w.Write(x.buf)
		return err
	}
	for name, n := range entries(dir) {
		if !x.dir.fits(name) {
			if err := flush(); err != nil {
				return err
			}
		}
		x.dir.add(name, x.nid(n), fileType(n.Inode()))
	}
	return flush()
}

// writeFile copies the content of a regular file, its tail into the metadata.
func (x *writer) writeFile(n filetree.Node, s *shape, start int64, tail []byte) error {
	m := newMapping(s, start, x.blockSize)
	inBlocks := s.size - int64(s.tail)
	return n.Stream(func(r io.Reader, at filetree.Range) error {
		if room := inBlocks - at.Offset; room > 0 {
			n := min(at.Length, room)
			if err := x.copy(r, m.place(filetree.Range{Offset: at.Offset, Length: n}), n); err != nil {
				return err
			}
			at.Offset += n
			at.Length -= n
		}
		if at.Length == 0 {
			return nil
		}
		_, err := io.ReadFull(r, tail[at.Offset-inBlocks:][:at.Length])
		return err
	})
}

// copy copies n bytes of r to an offset of the volume.
func (x *writer) copy(r io.Reader, off, n int64) error {
	if err := x.w.SkipTo(off); err != nil {
		return err
	}
	for n > 0 {
		if err := x.w.Err(x.ctx); err != nil {
			return err
		}
		part := min(n, copyLen)
		if err := x.w.ReadN(r, part); err != nil {
			return err
		}
		n -= part
	}
	return nil
}
