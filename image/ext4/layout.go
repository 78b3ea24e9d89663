package ext4

import (
	"cmp"
	"errors"
	"slices"
	"sort"
)

// Sizes that are the same in all file systems written here.
const (
	inodeSize     = 256
	descSize      = 64 // bytes of a group descriptor, with the feature 64bit
	groupsPerFlex = 16
	logFlex       = 4
	bytesPerInode = 16384
)

// errTooSmall reports a volume without room for its own tables.
var errTooSmall = errors.New("too small")

// errTooManyInodes reports groups that have no room for as many inodes.
var errTooManyInodes = errors.New("too many inodes")

// run is a row of blocks.
type run struct{ start, end int64 }

func (r run) len() int64 { return r.end - r.start }

// metaKind tells what a metaRun holds.
type metaKind uint8

const (
	metaSuper metaKind = iota // superblock, descriptors, room for more of these
	metaBlockBitmap
	metaInodeBitmap
	metaInodeTable
)

// metaRun is a place of the file system's own tables.
type metaRun struct {
	run
	kind  metaKind
	group uint32
}

// layout says where the tables of a file system are and what they leave free.
// It depends on sizes alone, not on the files.
type layout struct {
	blockSize      int64
	blocks         int64 // of the file system, with block 0
	first          int64 // block that the first group begins at: 1 if they have 1 KiB
	perGroup       int64 // blocks
	groups         int64
	inodesPerGroup int64
	tableBlocks    int64 // of a group's inode table
	descBlocks     int64 // of the group descriptors
	reservedGDT    int64 // blocks for descriptors of groups to come

	group []groupTables
	meta  []metaRun // in order
	free  []run     // what is not meta, in order
	room  int64     // blocks in free
}

// groupTables is where the tables of a group are, not always in itself.
type groupTables struct{ blockBitmap, inodeBitmap, inodeTable int64 }

// newLayout lays out a file system of at most so many blocks: a last group that
// would hold little more than its tables is left out, as mke2fs does.
func newLayout(blockSize, blocks, inodes int64) (*layout, error) {
	l := &layout{blockSize: blockSize, blocks: blocks, perGroup: blockSize * 8}
	if blockSize == 1024 {
		l.first = 1
	}
	for {
		if l.blocks-l.first < 8 {
			return nil, errTooSmall
		}
		if err := l.size(inodes); err != nil {
			return nil, err
		}
		last := l.groups - 1
		rest := l.groupEnd(last) - l.groupStart(last)
		if last == 0 || rest >= l.superBlocks(last)+2+l.tableBlocks+50 {
			break
		}
		l.blocks -= rest
	}
	if err := l.place(); err != nil {
		return nil, err
	}
	return l, nil
}

// size sets the sizes of the tables.
func (l *layout) size(inodes int64) error {
	l.groups = ceilDiv(l.blocks-l.first, l.perGroup)
	l.descBlocks = ceilDiv(l.groups*descSize, l.blockSize)

	// The file system may grow to 1,024 times its size, or to where the
	// resize inode's single indirect block for these ends.
	most := ceilDiv(min(l.blocks*1024, maxBlocks)-l.first, l.perGroup)
	l.reservedGDT = ceilDiv(most*descSize, l.blockSize) - l.descBlocks
	l.reservedGDT = min(l.reservedGDT, l.blockSize/4)

	// Whole bytes in the bitmap, whole blocks in the table.
	unit := max(8, l.blockSize/inodeSize)
	l.inodesPerGroup = ceilDiv(ceilDiv(inodes, l.groups), unit) * unit
	if l.inodesPerGroup > l.maxInodesPerGroup() {
		return errTooManyInodes
	}
	l.tableBlocks = l.inodesPerGroup * inodeSize / l.blockSize
	return nil
}

// maxInodesPerGroup is what a bitmap of one block counts. The descriptor's
// fields for unused inodes want one less than 2^16, which is far away.
func (l *layout) maxInodesPerGroup() int64 { return l.blockSize * 8 }

// place puts the tables of each flex group at its start: all block bitmaps, all
// inode bitmaps, all inode tables, around the backups of the superblock.
func (l *layout) place() error {
	l.group = make([]groupTables, l.groups)
	l.meta = make([]metaRun, 0, 3*l.groups+32)
	for g := range l.groups {
		if n := l.superBlocks(g); n > 0 {
			if n > l.perGroup/4*3 {
				return errTooManyGroups
			}
			l.add(metaSuper, g, l.groupStart(g), n)
		}
	}
	for from := int64(0); from < l.groups; from += groupsPerFlex {
		end := min(from+groupsPerFlex, l.groups)
		pos := l.groupStart(from)
		for g := from; g < end; g++ {
			l.group[g].blockBitmap = l.put(metaBlockBitmap, g, &pos, 1)
		}
		for g := from; g < end; g++ {
			l.group[g].inodeBitmap = l.put(metaInodeBitmap, g, &pos, 1)
		}
		for g := from; g < end; g++ {
			l.group[g].inodeTable = l.put(metaInodeTable, g, &pos, l.tableBlocks)
		}
		if pos > l.groupEnd(end-1) {
			return errTooSmall
		}
	}
	slices.SortFunc(l.meta, func(a, b metaRun) int { return cmp.Compare(a.start, b.start) })
	pos := l.first
	for _, m := range l.meta {
		l.addFree(pos, m.start)
		pos = m.end
	}
	l.addFree(pos, l.blocks)
	return nil
}

// put places n blocks of a table at or behind *pos.
func (l *layout) put(kind metaKind, group int64, pos *int64, n int64) int64 {
	start := l.aroundBackups(*pos, n)
	l.add(kind, group, start, n)
	*pos = start + n
	return start
}

// aroundBackups returns the first place from pos on where n blocks meet no
// backup of the superblock.
func (l *layout) aroundBackups(pos, n int64) int64 {
	for g := l.groupOf(pos); g < l.groups && l.groupStart(g) < pos+n; g++ {
		if end := l.groupStart(g) + l.superBlocks(g); end > pos && l.superBlocks(g) > 0 {
			pos = end
		}
	}
	return pos
}

func (l *layout) add(kind metaKind, group, start, n int64) {
	l.meta = append(l.meta, metaRun{run{start, start + n}, kind, uint32(group)})
}

func (l *layout) addFree(start, end int64) {
	if end > start {
		l.free = append(l.free, run{start, end})
		l.room += end - start
	}
}

func (l *layout) groupOf(block int64) int64   { return (block - l.first) / l.perGroup }
func (l *layout) groupStart(g int64) int64    { return l.first + g*l.perGroup }
func (l *layout) groupEnd(g int64) int64      { return min(l.groupStart(g+1), l.blocks) }
func (l *layout) inodes() int64               { return l.groups * l.inodesPerGroup }
func (l *layout) groupOfInode(i uint32) int64 { return (int64(i) - 1) / l.inodesPerGroup }

// superBlocks returns how many blocks the superblock, the descriptors and the
// room for more take at the start of a group, 0 in a group without a copy.
func (l *layout) superBlocks(g int64) int64 {
	if !hasSuper(g) {
		return 0
	}
	return 1 + l.descBlocks + l.reservedGDT
}

// metaIn returns the tables that lie in a row of blocks, wholly or in part.
func (l *layout) metaIn(r run) []metaRun {
	from := sort.Search(len(l.meta), func(i int) bool { return l.meta[i].end > r.start })
	to := sort.Search(len(l.meta), func(i int) bool { return l.meta[i].start >= r.end })
	return l.meta[from:max(from, to)]
}

// hasSuper reports whether a group has a copy of the superblock: groups 0 and 1
// and the powers of 3, 5 and 7 (the feature sparse_super).
func hasSuper(g int64) bool {
	if g <= 1 {
		return true
	}
	for _, base := range []int64{3, 5, 7} {
		n := g
		for n%base == 0 {
			n /= base
		}
		if n == 1 {
			return true
		}
	}
	return false
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
