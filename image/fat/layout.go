package fat

import "sort"

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

// ceil returns a/b, rounded up.
func ceil(a, b int64) int64 { return (a + b - 1) / b }
