package fat

import (
	"fmt"
	"math/bits"
	"sort"

	"github.com/drivebay/drivebay/image/volume"
)

const (
	// maxClusterSize is the largest cluster that drivers agree on.
	maxClusterSize = 64 << 10
	// maxDefaultClusterSize is the largest that fatgen103 allows.
	maxDefaultClusterSize = 32 << 10
	// tables is the number of copies of the file allocation table. fatgen103
	// strongly recommends 2.
	tables = 2
	// defaultRootEntries is the size of a FAT12 or FAT16 root directory that
	// all drivers expect.
	defaultRootEntries = 512
	// alignFrom is the number of sectors from which on data is aligned, as
	// mkfs.fat does: below, the volume is a floppy's and space is dear.
	alignFrom = 8192
	// alignment is what data is aligned to where clusters are smaller: the page
	// size, and the physical sector of drives that claim to have 512.
	alignment = 4096
)

// layout is where the parts of a volume are. Numbers are sectors unless they
// say otherwise.
type layout struct {
	typ        Type
	sectorSize int64 // bytes
	sectors    int64 // that the file system has
	perCluster int64
	reserved   int64 // before the first table
	table      int64 // of each table
	root       int64 // of the root directory, 0 for FAT32
	clusters   int64 // number of clusters
}

func (l *layout) clusterSize() int64 { return l.perCluster * l.sectorSize }

// dataStart returns the sector of the first cluster.
func (l *layout) dataStart() int64 { return l.reserved + tables*l.table + l.root }

// choice is a combination of type and cluster size.
type choice struct {
	typ     Type
	cluster int64 // bytes
}

// arrange lays out a volume of so many sectors, with a root directory of so many
// entries where the type has one. It reports whether the number of clusters is
// one that the type may have, and is at least need.
func (c choice) arrange(sectorSize, sectors, rootEntries, need int64) (layout, bool) {
	l := layout{typ: c.typ, sectorSize: sectorSize, sectors: sectors, perCluster: c.cluster / sectorSize}
	least, most := c.typ.clusters()
	if !l.setRoot(rootEntries) {
		return l, false
	}
	n := int64(sort.Search(int(min(most+2*margin+1, sectors/l.perCluster)), func(n int) bool {
		return l.place(int64(n)+1) > sectors
	}))
	if n > most+2*margin { // the next type's
		return l, false
	}
	if n = min(n, most); n < max(least, need) {
		return l, false
	}
	l.place(n)
	// A driver counts the clusters from the sectors behind the tables. What is
	// enough for more, but not for the longer table that these would take, goes
	// to the front.
	l.reserved += ((sectors-l.dataStart())/l.perCluster - n) * l.perCluster
	return l, true
}

// setRoot gives the volume room for so many entries of a root directory that is
// no chain of clusters. The boot sector has 16 bits for their number.
func (l *layout) setRoot(entries int64) bool {
	if l.typ != FAT32 {
		l.root = ceil(entries*entrySize, l.sectorSize)
	}
	return l.rootEntries() < 1<<16
}

// rootEntries returns the number of entries of such a root directory.
func (l *layout) rootEntries() int64 { return l.root * l.sectorSize / entrySize }

// place gives the volume so many clusters and returns its end.
func (l *layout) place(clusters int64) int64 {
	l.clusters = clusters
	l.table = ceil(l.typ.tableBytes(clusters), l.sectorSize)
	l.reserved = 1
	if l.typ == FAT32 {
		l.reserved = 32
	}
	if l.sectors > alignFrom {
		unit := max(l.perCluster, alignment/l.sectorSize)
		l.reserved += -l.dataStart() & (unit - 1)
	}
	return l.dataStart() + clusters*l.perCluster
}

// smallest returns the layout of the smallest volume for the choice that has
// need clusters, and whether there is one.
func (c choice) smallest(sectorSize, rootEntries, need int64) (layout, bool) {
	least, most := c.typ.clusters()
	need = max(need, least)
	if need > most {
		return layout{}, false
	}
	l := layout{typ: c.typ, sectorSize: sectorSize, perCluster: c.cluster / sectorSize}
	if !l.setRoot(rootEntries) {
		return l, false
	}
	l.sectors = l.place(need) // as if not aligned
	l.sectors = l.place(need)
	return l, l.sectors <= 1<<32-1
}

// layout chooses the type and the cluster size for the content.
func (fs *FileSystem) layout(g volume.Geometry, c *content) (layout, error) {
	ss := int64(g.SectorSize)
	sectors := g.Size / ss
	if g.Size != 0 {
		if ch, ok := fs.usual(ss, sectors, c); ok {
			if l, ok := ch.arrange(ss, sectors, c.usualRoot(ss, sectors), c.need(ch)); ok {
				return l, nil
			}
		}
	}
	var best layout
	for ch := range fs.choices(ss) {
		l, ok := ch.smallest(ss, c.rootEntries(), c.need(ch))
		if ok && (best.sectors == 0 || l.sectors < best.sectors) {
			best = l
		}
	}
	switch {
	case best.sectors == 0:
		return best, fs.tooMuch(ss, c)
	case g.Size == 0:
		return best, nil
	case best.sectors > sectors:
		err := error(&volume.SizeError{Format: format, Size: g.Size, Need: best.sectors * ss, Resource: "bytes"})
		if least, _ := best.typ.clusters(); best.clusters == least && fs.Type != 0 && fs.Type != FAT12 {
			err = fmt.Errorf("%s has no fewer than %d clusters: %w", fs.Type, least, err)
		}
		return best, err
	}
	return fs.tight(ss, sectors, best, c), nil
}

// tight lays out a volume for which the usual choice is too wasteful: the one
// with the most room of all that hold the content.
func (fs *FileSystem) tight(ss, sectors int64, best layout, c *content) layout {
	room := int64(-1)
	for ch := range fs.choices(ss) {
		need := c.need(ch)
		for _, root := range []int64{c.usualRoot(ss, sectors), c.rootEntries()} {
			l, ok := ch.arrange(ss, sectors, root, need)
			if free := (l.clusters - need) * ch.cluster; ok && free > room {
				best, room = l, free
			}
		}
	}
	return best
}

// tooMuch says that no volume whatever holds the content.
func (fs *FileSystem) tooMuch(ss int64, c *content) error {
	var last choice
	for ch := range fs.choices(ss) {
		last = ch
	}
	_, most := last.typ.clusters()
	return fmt.Errorf("fat: %s with clusters of %d bytes: %w", last.typ, last.cluster,
		&volume.SizeError{Format: format, Size: most, Need: c.need(last), Resource: "clusters"})
}

// choices yields the types and cluster sizes that are open.
func (fs *FileSystem) choices(sectorSize int64) func(yield func(choice) bool) {
	return func(yield func(choice) bool) {
		for _, typ := range []Type{FAT12, FAT16, FAT32} {
			if fs.Type != 0 && fs.Type != typ {
				continue
			}
			for cs := sectorSize; cs <= maxDefaultClusterSize; cs *= 2 {
				if fs.ClusterSize != 0 {
					cs = int64(fs.ClusterSize)
				}
				if !yield(choice{typ, cs}) {
					return
				}
				if fs.ClusterSize != 0 {
					break
				}
			}
		}
	}
}

// usual returns what mkfs.fat 4.2 chooses for a volume of so many sectors, and
// whether it chooses anything: the same numbers of sectors to a cluster, but
// never more than 32 KiB (fatgen103, BPB_SecPerClus) where there is a choice.
func (fs *FileSystem) usual(ss, sectors int64, c *content) (choice, bool) {
	typ := fs.Type
	if typ == 0 && sectors*ss >= 512<<20 {
		typ = FAT32
	}
	per := int64(4)
	if typ == FAT32 {
		switch mib := sectors >> 11; { // of sectors of 512 bytes, whatever they are
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
	} else if f, ok := floppy(ss, sectors); ok {
		per = f.perCluster
	}
	start := min(per*ss, maxDefaultClusterSize)
	if fs.ClusterSize != 0 {
		start = int64(fs.ClusterSize)
	}
	for cs := start; cs <= max(start, maxClusterSize); cs *= 2 {
		if ch, ok := fs.suits(typ, cs, ss, sectors, c); ok || fs.ClusterSize != 0 {
			return ch, ok
		}
	}
	for cs := start / 2; cs >= ss; cs /= 2 { // asked for FAT16 or FAT32 on little
		if ch, ok := fs.suits(typ, cs, ss, sectors, c); ok {
			return ch, true
		}
	}
	return choice{}, false
}

// suits returns the first type that a volume of so many sectors and clusters of
// that size may have.
func (fs *FileSystem) suits(typ Type, cluster, ss, sectors int64, c *content) (choice, bool) {
	types := []Type{typ}
	if typ == 0 {
		types = []Type{FAT12, FAT16}
		if fs.ClusterSize != 0 {
			types = append(types, FAT32)
		}
	}
	for _, typ := range types {
		ch := choice{typ, cluster}
		if _, ok := ch.arrange(ss, sectors, c.usualRoot(ss, sectors), 0); ok {
			return ch, true
		}
	}
	return choice{}, false
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

// usualRoot returns how many entries a FAT12 or FAT16 root directory has where
// there is no need to save: what all drivers expect, or what the content needs.
func (c *content) usualRoot(ss, sectors int64) int64 {
	if f, ok := floppy(ss, sectors); ok {
		return max(f.rootEntries, c.rootEntries())
	}
	return max(defaultRootEntries, c.rootEntries())
}

// ceil returns a/b, rounded up.
func ceil(a, b int64) int64 { return (a + b - 1) / b }
