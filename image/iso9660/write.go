package iso9660

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// Write implements [volume.Plan].
func (p *plan) Write(ctx context.Context, w *volume.Writer) error {
	if w.Size() < p.size {
		return fmt.Errorf("iso9660: volume of %d bytes, planned for %d", w.Size(), p.size)
	}
	o := &output{ctx: ctx, w: w}
	for _, step := range []func(*output) error{
		p.writeSystemArea, p.writeDescriptors, p.writeTables, p.writeDirs, p.writeBoot, p.writeContents, p.writeBackup,
	} {
		if err := step(o); err != nil {
			return err
		}
	}
	return w.SkipTo(p.size)
}

// output is a volume that is being written.
type output struct {
	ctx context.Context
	w   *volume.Writer
}

// block writes b from a block on.
func (o *output) block(at uint32, b []byte) error {
	if err := o.w.Err(o.ctx); err != nil {
		return err
	}
	if err := o.w.SkipTo(int64(at) * blockSize); err != nil {
		return err
	}
	_, err := o.w.Write(b)
	return err
}

// descriptors returns the volume descriptors in their order. The boot record has
// to be the second (El Torito 1.0, 2.0).
func (p *plan) descriptors() (list [][]byte) {
	list = append(list, p.volumeDescriptor(p.hierarchies[0]))
	if len(p.boot) > 0 {
		list = append(list, p.bootRecord())
	}
	for _, h := range p.hierarchies[1:] {
		list = append(list, p.volumeDescriptor(h))
	}
	return append(list, newDescriptor(typeTerminator))
}

func (p *plan) writeDescriptors(o *output) error {
	return o.block(firstDescriptor, bytes.Join(p.descriptors(), nil))
}

func (p *plan) writeTables(o *output) error {
	for _, h := range p.hierarchies {
		for i, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			if err := o.block(h.tables[i], h.pathTable(order)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *plan) writeDirs(o *output) error {
	w := &dirWriter{}
	for _, h := range p.hierarchies {
		for i := range h.dirs {
			h.encode(w, i, h.members(i))
			if err := o.block(h.dirs[i].at.block, w.records); err != nil {
				return err
			}
			if err := o.block(w.moreAt, w.more); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeBoot writes the catalog and the boot images that are no files.
func (p *plan) writeBoot(o *output) error {
	if len(p.boot) == 0 {
		return nil
	}
	if err := o.block(p.catalog, p.catalogBytes()); err != nil {
		return err
	}
	for i := range p.boot {
		b := &p.boot[i]
		if b.plan == nil {
			continue
		}
		start := int64(b.at) * blockSize
		if err := b.plan.Write(o.ctx, o.w.Section(start, b.size)); err != nil {
			return fmt.Errorf("iso9660: %simage: %w", b.name, err)
		}
		if err := o.w.SkipTo(start + b.size); err != nil {
			return err
		}
	}
	return nil
}

// stretch is how much of a file is written between two looks at the context, in
// bytes.
const stretch = 8 << 20

func (p *plan) writeContents(o *output) error {
	patched := map[int]*bootImage{} // files with an info table
	for i := range p.boot {
		if b := &p.boot[i]; b.InfoTable {
			patched[b.node.ID()] = b
		}
	}
	for n := range p.contents() {
		if err := o.w.Err(o.ctx); err != nil {
			return err
		}
		var err error
		if b := patched[n.ID()]; b != nil {
			err = o.bootFile(b)
		} else {
			err = o.file(n, p.blockOf[n.ID()])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// file writes the content of a file.
func (o *output) file(n filetree.Node, block uint32) error {
	start := int64(block) * blockSize
	return n.Stream(func(r io.Reader, at filetree.Range) error {
		if err := o.w.SkipTo(start + at.Offset); err != nil {
			return err
		}
		for left := at.Length; left > 0; left -= min(left, stretch) {
			if err := o.w.Err(o.ctx); err != nil {
				return err
			}
			if err := o.w.ReadN(r, min(left, stretch)); err != nil {
				return err
			}
		}
		return nil
	})
}

// bootFile writes the content of a file with its info table.
func (o *output) bootFile(b *bootImage) error {
	content := make([]byte, b.size)
	if err := b.node.Stream(func(r io.Reader, at filetree.Range) error {
		_, err := io.ReadFull(r, content[at.Offset:at.End()])
		return err
	}); err != nil {
		return err
	}
	b.putInfo(content)
	return o.block(b.at, content)
}
