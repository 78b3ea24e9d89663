package fat

import (
	"fmt"
	"iter"
	"math/bits"

	"github.com/drivebay/drivebay/image/volume"
)

// chooser finds the layout of a volume.
type chooser struct {
	*FileSystem
	content    *content
	sectorSize int64
	sectors    int64 // of the volume, 0 for as few as can be
}

// layout chooses the type and the size of clusters for the content.
func (fs *FileSystem) layout(g volume.Geometry, c *content) (layout, error) {
	ss := int64(g.SectorSize)
	ch := chooser{fs, c, ss, g.Size / ss}
	if g.Size != 0 {
		if l, ok := ch.usual(); ok {
			return l, nil
		}
	}
	least, ok := ch.smallest()
	switch {
	case !ok:
		return least, ch.tooMuch()
	case g.Size == 0:
		return least, nil
	case least.sectors > ch.sectors:
		return least, ch.short(least)
	case !ch.fillable():
		return least, ch.tooLarge()
	}
	return ch.tight(), nil
}

// choices yields the types and sizes of clusters that are open.
func (ch *chooser) choices() iter.Seq[choice] {
	return func(yield func(choice) bool) {
		for _, typ := range []Type{FAT12, FAT16, FAT32} {
			for cs := ch.sectorSize; cs <= maxClusterSize; cs *= 2 {
				if ch.allows(typ, cs) && !yield(choice{typ, cs}) {
					return
				}
			}
		}
	}
}

// allows reports whether the options leave a choice open.
func (ch *chooser) allows(typ Type, cluster int64) bool {
	return (ch.Type == 0 || ch.Type == typ) && (ch.ClusterSize == 0 || int64(ch.ClusterSize) == cluster)
}

// usual returns the layout of what mkfs.fat 4.2 chooses, and whether there is one
// and it holds the content.
func (ch *chooser) usual() (l layout, ok bool) {
	typ, start := ch.Type, ch.startCluster()
	if typ == 0 && ch.sectors*ch.sectorSize >= 512<<20 {
		typ = FAT32
	}
	// Larger clusters until there are few enough; or smaller ones, for who has
	// asked for a type that is meant for larger volumes.
	for cs := start; cs <= maxClusterSize; cs *= 2 {
		if c, ok := ch.suits(typ, cs); ok {
			return ch.arrange(c)
		}
	}
	for cs := start / 2; cs >= ch.sectorSize; cs /= 2 {
		if c, ok := ch.suits(typ, cs); ok {
			return ch.arrange(c)
		}
	}
	return layout{}, false
}

// startCluster returns the size of clusters with which mkfs.fat begins: a number
// of sectors, whatever their size, but never more than 32 KiB.
func (ch *chooser) startCluster() int64 {
	if ch.ClusterSize != 0 {
		return int64(ch.ClusterSize)
	}
	per := int64(4)
	if ch.Type == FAT32 || ch.Type == 0 && ch.sectors*ch.sectorSize >= 512<<20 {
		switch mib := ch.sectors >> 11; { // as if of 512 bytes
		case mib <= 260:
			per = 1
		case mib <= 8<<10:
			per = 8
		case mib <= 16<<10:
			per = 16
		case mib <= 32<<10:
			per = 32
		default:
			per = 64
		}
	} else if f, ok := floppy(ch.sectorSize, ch.sectors); ok {
		per = f.perCluster
	}
	return min(per*ch.sectorSize, maxDefaultClusterSize)
}

// suits returns the type that a volume of clusters of that size has, and whether
// it is typ, where that is not 0. mkfs.fat takes FAT32 for itself only.
func (ch *chooser) suits(typ Type, cluster int64) (choice, bool) {
	types := []Type{FAT12, FAT16}
	if typ != 0 {
		types = []Type{typ}
	}
	for _, typ := range types {
		c := choice{typ, cluster}
		if _, ok := c.arrange(ch.sectorSize, ch.sectors, ch.rootEntries(), 0); ok && ch.allows(typ, cluster) {
			return c, true
		}
	}
	return choice{}, false
}

// arrange lays the volume out by a choice, and reports whether that fills the
// volume and holds the content.
func (ch *chooser) arrange(c choice) (layout, bool) {
	return c.arrange(ch.sectorSize, ch.sectors, ch.rootEntries(), ch.content.need(c))
}

// rootEntries returns how many entries a FAT12 or FAT16 root directory has where
// there is no need to save: what all drivers expect, or what the content needs.
func (ch *chooser) rootEntries() int64 {
	if f, ok := floppy(ch.sectorSize, ch.sectors); ok {
		return max(f.rootEntries, ch.content.rootEntries())
	}
	return max(defaultRootEntries, ch.content.rootEntries())
}

// smallest returns the layout of the smallest volume that holds the content, and
// whether there is any. Clusters above 32 KiB are for who cannot do with less.
func (ch *chooser) smallest() (best layout, ok bool) {
	for _, limit := range []int64{maxDefaultClusterSize, maxClusterSize} {
		for c := range ch.choices() {
			l, ok := c.smallest(ch.sectorSize, ch.content.rootEntries(), ch.content.need(c))
			if ok && c.cluster <= limit && (best.sectors == 0 || l.sectors < best.sectors) {
				best = l
			}
		}
		if best.sectors != 0 {
			return best, true
		}
	}
	return best, false
}

// fillable reports whether any choice fills the volume, whatever it is to hold.
func (ch *chooser) fillable() bool {
	for c := range ch.choices() {
		if _, ok := c.arrange(ch.sectorSize, ch.sectors, ch.content.rootEntries(), 0); ok {
			return true
		}
	}
	return false
}

// tight lays out a volume for which the usual choice is too wasteful: by the
// choice that leaves most room, with clusters above 32 KiB only where no others
// do. It may leave the end of the volume unused, where only clusters so small that
// there cannot be enough of them hold the content.
func (ch *chooser) tight() (best layout) {
	for _, limit := range []int64{maxDefaultClusterSize, maxClusterSize} {
		if l, ok := ch.roomiest(limit); ok {
			return l
		}
	}
	return best
}

// roomiest returns the layout that leaves most room with clusters of at most
// limit bytes, and whether there is any.
func (ch *chooser) roomiest(limit int64) (best layout, found bool) {
	room := int64(-1)
	take := func(l layout, ok bool, c choice) {
		free := (l.clusters - ch.content.need(c)) * c.cluster
		if ok && c.cluster <= limit && l.sectors <= ch.sectors && free > room {
			best, room = l, free
		}
	}
	for c := range ch.choices() {
		need := ch.content.need(c)
		for _, root := range []int64{ch.rootEntries(), ch.content.rootEntries()} {
			l, ok := c.arrange(ch.sectorSize, ch.sectors, root, need)
			take(l, ok, c)
		}
	}
	for c := range ch.choices() {
		if _, most := c.typ.clusters(); room < 0 {
			for _, n := range []int64{most, ch.content.need(c)} {
				l, ok := c.smallest(ch.sectorSize, ch.content.rootEntries(), n)
				take(l, ok && l.clusters >= ch.content.need(c), c)
			}
		}
	}
	return best, room >= 0
}

// short says how much larger the volume has to be.
func (ch *chooser) short(least layout) error {
	err := error(&volume.SizeError{Format: format, Size: ch.sectors * ch.sectorSize, Need: least.sectors * ch.sectorSize, Resource: "bytes"})
	if n, _ := least.typ.clusters(); least.clusters == n && ch.Type >= FAT16 {
		err = fmt.Errorf("%s has no fewer than %d clusters: %w", ch.Type, n, err)
	}
	return err
}

// tooMuch says that no volume whatever holds the content.
func (ch *chooser) tooMuch() error {
	var last choice
	for last = range ch.choices() {
	}
	_, most := last.typ.clusters()
	return fmt.Errorf("fat: %s with clusters of %d bytes: %w", last.typ, last.cluster,
		&volume.SizeError{Format: format, Size: most, Need: ch.content.need(last), Resource: "clusters"})
}

// tooLarge says that the volume is larger than the options allow.
func (ch *chooser) tooLarge() error {
	var most int64
	var last choice
	for last = range ch.choices() {
		_, n := last.typ.clusters()
		l, _ := last.smallest(ch.sectorSize, ch.content.rootEntries(), n)
		most = max(most, l.sectors*ch.sectorSize)
	}
	return fmt.Errorf("fat: volume of %d bytes: %w: want at most %d for %s with clusters of %d bytes",
		ch.sectors*ch.sectorSize, ErrTooLarge, most, last.typ, last.cluster)
}

// need returns how many clusters the content takes.
func (c *content) need(ch choice) int64 {
	n := c.clusters[bits.TrailingZeros64(uint64(ch.cluster))]
	if ch.typ == FAT32 {
		n += ceil(max(1, c.dirs[0].entries)*entrySize, ch.cluster)
	}
	return n
}

// rootEntries returns how many entries the root directory needs.
func (c *content) rootEntries() int64 { return max(1, c.dirs[0].entries) }
