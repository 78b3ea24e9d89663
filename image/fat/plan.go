package fat

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// format is the name of the kernel's driver.
const format = "vfat"

// noLabel is how a volume without a label calls itself.
const noLabel = "NO NAME"

// plan is a file system of which the place of every byte is known.
type plan struct {
	layout
	content *content
	label   string
	id      uint32
	hidden  uint32
	whole   bool // the volume is at the start of its disk
	time    time.Time
	size    int64  // of the volume, bytes
	next    uint32 // the first free cluster
}

// Info describes the volume. It implements [volume.Plan].
func (p *plan) Info() volume.Info {
	return volume.Info{
		Format:  format,
		Label:   p.label,
		UUID:    fmt.Sprintf("%04X-%04X", p.id>>16, p.id&0xffff),
		Size:    p.size,
		Used:    p.size - p.free()*p.clusterSize(),
		Free:    p.freeExtents(),
		Files:   p.content.files,
		Dropped: p.content.dropped,
	}
}

// free returns the number of free clusters.
func (p *plan) free() int64 { return p.clusters - int64(p.next-2) }

// freeExtents returns where they are: all in one row.
func (p *plan) freeExtents() []volume.Extent {
	if p.free() == 0 {
		return nil
	}
	return []volume.Extent{{Offset: p.offset(p.next), Length: p.free() * p.clusterSize()}}
}

// floppy returns the diskette that the volume is, if it is one.
func (p *plan) floppy() (floppyDisk, bool) {
	if !p.whole {
		return floppyDisk{}, false
	}
	return floppy(p.sectorSize, p.size/p.sectorSize)
}

// mediaByte returns the media descriptor, of which the table's first entry has a
// copy.
func (p *plan) mediaByte() byte {
	if f, ok := p.floppy(); ok {
		return f.media
	}
	return mediaFixed
}

func (p *plan) labelBytes() [11]byte {
	b, label := blank, p.label
	if label == "" {
		label = noLabel
	}
	copy(b[:], label)
	return b
}

// allocate gives every directory and then every file the next clusters.
func (p *plan) allocate() {
	p.next = 2
	for i := range p.content.dirs {
		d := &p.content.dirs[i]
		n := p.dirClusters(i)
		if n > 0 {
			d.cluster = p.next
			p.next += uint32(n)
		}
		if i > 0 {
			p.content.slots[d.node.ID()].cluster = d.cluster
		}
	}
	for n := range p.content.regular() {
		if clusters := ceil(n.Size(), p.clusterSize()); clusters > 0 {
			p.content.slots[n.ID()].cluster = p.next
			p.next += uint32(clusters)
		}
	}
}

// dirClusters returns how many clusters directory i takes.
func (p *plan) dirClusters(i int) int64 {
	if i == 0 && p.typ != FAT32 {
		return 0
	}
	return ceil(max(1, p.content.dirs[i].entries)*entrySize, p.clusterSize())
}

// regular yields the regular files in the order in which they are written.
func (c *content) regular() func(yield func(filetree.Node) bool) {
	return func(yield func(filetree.Node) bool) {
		for i := range c.dirs {
			for n := range c.dirs[i].node.Children() {
				if n.UnixMode()&filetree.ModeType == filetree.ModeRegular && c.slots[n.ID()].flags&left == 0 && !yield(n) {
					return
				}
			}
		}
	}
}

// Write writes the volume. It implements [volume.Plan].
func (p *plan) Write(ctx context.Context, w *volume.Writer) error {
	if w.Size() < p.size {
		return fmt.Errorf("fat: volume of %d bytes, planned for %d", w.Size(), p.size)
	}
	if err := p.writeReserved(w); err != nil {
		return err
	}
	for i := range int64(tables) {
		if err := w.SkipTo((p.reserved + i*p.table) * p.sectorSize); err != nil {
			return err
		}
		if err := p.writeTable(ctx, w); err != nil {
			return err
		}
	}
	for i := range p.content.dirs {
		if err := p.writeDir(ctx, w, i); err != nil {
			return err
		}
	}
	for n := range p.content.regular() {
		if err := p.writeFile(ctx, w, n); err != nil {
			return err
		}
	}
	return w.SkipTo(p.size)
}

// writeReserved writes what comes before the tables.
func (p *plan) writeReserved(w *volume.Writer) error {
	sectors := [][]byte{0: p.bootSector()}
	if p.typ == FAT32 {
		boot, info := sectors[0], p.infoSectorBytes()
		sectors = [][]byte{0: boot, infoSector: info, backupSector: boot, backupSector + infoSector: info}
	}
	for i, b := range sectors {
		if err := w.SkipTo(int64(i) * p.sectorSize); err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// offset returns where a cluster is, in bytes from the volume's start.
func (p *plan) offset(cluster uint32) int64 {
	return p.dataStart()*p.sectorSize + int64(cluster-2)*p.clusterSize()
}

// writeDir writes directory i.
func (p *plan) writeDir(ctx context.Context, w *volume.Writer, i int) error {
	if err := w.Err(ctx); err != nil {
		return err
	}
	d := &p.content.dirs[i]
	at := p.offset(d.cluster)
	if d.cluster == 0 {
		at = (p.dataStart() - p.root) * p.sectorSize
	}
	if err := w.SkipTo(at); err != nil {
		return err
	}
	b := make([]byte, 0, d.entries*entrySize)
	switch {
	case i > 0:
		dot := p.entry(d.node)
		dot.name, dot.caseBits = blank, 0
		dot.name[0] = '.'
		b = dot.append(b)
		dot.name[1] = '.'
		// The root counts as cluster 0 even where it has another.
		dot.cluster = 0
		if parent := d.node.Parent().ID(); parent != 0 {
			dot.cluster = p.content.slots[parent].cluster
		}
		b = dot.append(b)
	case p.label != "":
		label := entry{name: p.labelBytes(), attr: attrVolumeID, created: p.time, written: p.time, accessed: p.time}
		b = label.append(b)
	}
	for n := range d.node.Children() {
		slot := &p.content.slots[n.ID()]
		if slot.flags&left != 0 {
			continue
		}
		if slot.flags&long != 0 {
			b = appendLong(b, n.Name(), slot.alias)
		}
		e := p.entry(n)
		b = e.append(b)
	}
	_, err := w.Write(b)
	return err
}

// entry returns the directory entry of a node.
func (p *plan) entry(n filetree.Node) entry {
	slot := &p.content.slots[n.ID()]
	e := entry{
		name:     slot.alias,
		attr:     attrArchive,
		caseBits: slot.flags & (lowerStem | lowerExt),
		cluster:  slot.cluster,
		size:     uint32(n.Size()),
		created:  n.ModTime(),
		written:  n.ModTime(),
		accessed: n.AccessTime(),
	}
	if n.IsDir() {
		e.attr = attrDir
	} else if n.UnixMode()&0o222 == 0 {
		e.attr |= attrReadOnly // as the kernel has it
	}
	return e
}

// stretch is how much of a file is written between two looks at the context.
const stretch = 8 << 20

// writeFile writes the content of a file.
func (p *plan) writeFile(ctx context.Context, w *volume.Writer, n filetree.Node) error {
	if err := w.Err(ctx); err != nil || n.Size() == 0 {
		return err
	}
	start := p.offset(p.content.slots[n.ID()].cluster)
	return n.Stream(func(r io.Reader, at filetree.Range) error {
		if err := w.SkipTo(start + at.Offset); err != nil {
			return err
		}
		for left := at.Length; left > 0; left -= min(left, stretch) {
			if err := w.Err(ctx); err != nil {
				return err
			}
			if err := w.ReadN(r, min(left, stretch)); err != nil {
				return err
			}
		}
		return nil
	})
}
