package iso9660

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"

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
	id          uuid.UUID // what others are derived from
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
		UUID:    timeUUID(p.created),
		Size:    p.size,
		Used:    p.end*blockSize + p.hybridTail(),
		Files:   p.files,
		Dropped: p.dropped,
	}
}
