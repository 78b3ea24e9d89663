package iso9660

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"time"

	guid "github.com/google/uuid"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// plan is a file system of which the place of every byte is known.
//
// The blocks are, in this order: the system area, the descriptors, the path tables
// and then the directories of each hierarchy, the boot catalog, the boot images
// that are no files, the files in the order of the tree, and at the end of a
// hybrid volume the backup of its partition table.
type plan struct {
	options     FileSystem
	tree        *filetree.Tree
	created     time.Time
	id          guid.UUID // what others are derived from
	hierarchies []*hierarchy
	boot        []bootImage
	catalog     uint32
	// blockOf is where the content of each file begins, by the ID of its inode,
	// and 0 where there is none.
	blockOf []uint32
	// end is the first block behind the contents, size that of the volume in
	// bytes.
	end     int64
	size    int64
	files   int64
	dropped []string
}

// begin makes the hierarchies, which are empty yet.
func (p *plan) begin() {
	p.blockOf = make([]uint32, p.tree.Len())
	primary := &hierarchy{scheme: &scheme31, rockRidge: !p.options.NoRockRidge, keep: isHeld, extents: p.extents}
	if p.options.level() == Level1 {
		primary.scheme = &scheme83
	}
	if p.options.NoRockRidge {
		primary.keep = isPlain
	}
	p.hierarchies = []*hierarchy{primary}
	if p.options.Joliet {
		p.hierarchies = append(p.hierarchies, &hierarchy{scheme: &schemeJoliet, joliet: true, keep: isPlain, extents: p.extents})
	}
}

// isHeld reports whether Rock Ridge holds a file.
func isHeld(n filetree.Node) bool {
	_, _, ok := deviceNumber(n.Device())
	return ok
}

// isPlain reports whether a file is one that ISO 9660 has without Rock Ridge.
func isPlain(n filetree.Node) bool {
	k := kindOf(n)
	return k == filetree.ModeDir || k == filetree.ModeRegular
}

// place gives everything its blocks.
func (p *plan) place(ctx context.Context, g volume.Geometry) error {
	next := int64(firstDescriptor + len(p.descriptors()))
	take := func(size int64) uint32 {
		at := next
		next += blocks(size)
		return uint32(at)
	}
	for _, h := range p.hierarchies {
		for i := range h.tables {
			h.tables[i] = take(int64(h.tableLen))
		}
	}
	for _, h := range p.hierarchies {
		for i := range h.dirs {
			d := &h.dirs[i]
			d.at.block = take(int64(d.at.size))
			next += d.more
		}
	}
	if len(p.boot) > 0 {
		p.catalog = take(blockSize)
	}
	next, err := p.planImages(ctx, g, next)
	if err != nil {
		return err
	}
	for n := range p.contents() {
		p.blockOf[n.ID()] = take(n.Size())
	}
	if next > maxBlocks {
		return fmt.Errorf("iso9660: contents of %d bytes: %w: want at most %d", next*blockSize, ErrTooLarge, int64(maxBlocks*blockSize))
	}
	for i := range p.boot {
		if b := &p.boot[i]; b.plan == nil {
			b.at = p.blockOf[b.node.ID()]
		}
	}
	p.end = next
	return nil
}

// contents yields the files that have content, each once, in the order in which it
// is written.
func (p *plan) contents() func(yield func(filetree.Node) bool) {
	return func(yield func(filetree.Node) bool) {
		_ = p.tree.Walk(func(n filetree.Node) error {
			if n.Inode() == n && n.Size() > 0 && !yield(n) {
				return fs.SkipAll
			}
			return nil
		})
	}
}

// extents returns where the content of a file is: one extent at least, of no
// length where there is no content.
func (p *plan) extents(n filetree.Node) []extent {
	at := extent{block: p.blockOf[n.Inode().ID()]}
	left := n.Size()
	list := make([]extent, 0, 1)
	for left > maxExtent {
		at.size = maxExtent
		list = append(list, at)
		at.block += maxExtent / blockSize
		left -= maxExtent
	}
	at.size = uint32(left)
	return append(list, at)
}

// padding is what is left free behind the contents where no size is given, in
// bytes: as much as mkisofs has always left. Drives fail where they are asked for
// more than there is, and who reads ahead does so: Linux from some discs, GRUB from
// all.
const padding = 150 * blockSize

// Replan implements [volume.Replanner]: nothing but the end of a hybrid volume
// depends on the size.
func (p *plan) Replan(_ context.Context, g volume.Geometry) (volume.Plan, error) {
	if err := p.options.checkHybrid(g); err != nil {
		return nil, err
	}
	q := *p
	need := p.end*blockSize + p.hybridTail()
	q.size = cmp.Or(g.Size, need+padding)
	if q.size < need {
		return nil, &volume.SizeError{Format: "iso9660", Size: g.Size, Need: need, Resource: "bytes"}
	}
	return &q, nil
}

// volumeBlocks returns the size of the volume as its descriptors have it. Of a
// hybrid one that is all of it: tools copy that much.
func (p *plan) volumeBlocks() int64 {
	if p.options.Hybrid != nil {
		return min(maxBlocks, p.size/blockSize)
	}
	return min(p.end+padding/blockSize, p.size/blockSize)
}

// Info implements [volume.Plan].
func (p *plan) Info() volume.Info {
	return volume.Info{
		Format:  "iso9660",
		Label:   p.options.VolumeID,
		UUID:    uuid(p.created),
		Size:    p.size,
		Used:    p.end*blockSize + p.hybridTail(),
		Files:   p.files,
		Dropped: p.dropped,
	}
}

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
