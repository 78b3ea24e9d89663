package ext4

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// plan is a file system of which the place of every byte is known. Of a file it
// remembers no more than its number: the rest follows when the files are gone
// through in the order of their inodes again, with a new allocator.
type plan struct {
	fs              FileSystem
	tree            *filetree.Tree
	label           string
	uuid            uuid.UUID
	seed            uint32    // of all checksums
	dirSeed         [4]uint32 // of the hashes of names
	time            time.Time
	blockSize       int64
	reservedPercent int64

	// What the tree needs, whatever the size.
	inodeOf    []uint32 // by node
	nodeOf     []uint32 // from inode 11 on
	longDirs   map[uint32]longDir
	dataBlocks int64    // but for extent trees
	index      dirIndex // for the scan
	sharing    xattrSharing
	xattrRefs  []xattrRef // by inode
	// xattrBlocks are in the order of their owners.
	xattrBlocks []xattrBlock

	// What depends on the size.
	size          int64 // of the volume
	layout        *layout
	journalLimit  int64 // blocks that a journal may have at most that is not asked for
	journalBlocks int64
	journal       placement
	resizeBlock   int64
	root          placement
	dataEnd       int64 // the block behind the last that is allocated
	freeBlocks    int64
	dirsIn        []uint32 // directories in each group
}

// maxBlocks is what a volume may have without 64-bit journals and meta_bg.
const maxBlocks = 1<<32 - 1

func newPlan(fs *FileSystem, g volume.Geometry) (*plan, error) {
	p, err := fs.newPlan(g)
	if err != nil {
		return nil, fmt.Errorf("ext4: %w", err)
	}
	if err := p.scan(); err != nil {
		return nil, err
	}
	p.index, p.sharing = dirIndex{}, xattrSharing{}
	return p, p.fit(g.Size)
}

// Replan implements [volume.Replanner]: all that the files need is known.
func (p *plan) Replan(ctx context.Context, g volume.Geometry) (volume.Plan, error) {
	if err := p.checkParameters(&p.fs, g); err != nil {
		return nil, fmt.Errorf("ext4: %w", err)
	}
	if g.Size != p.size {
		if err := p.fit(g.Size); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// newPlan returns a plan of what does not depend on the tree's files.
func (fs *FileSystem) newPlan(g volume.Geometry) (*plan, error) {
	p := &plan{
		fs:              *fs,
		tree:            fs.Tree,
		label:           fs.Label,
		uuid:            fs.UUID,
		time:            g.Time,
		blockSize:       int64(cmp.Or(fs.BlockSize, 4096)),
		reservedPercent: int64(cmp.Or(fs.ReservedPercent, 5)),
		longDirs:        map[uint32]longDir{},
	}
	if p.reservedPercent == None {
		p.reservedPercent = 0
	}
	if p.uuid == uuid.Nil {
		p.uuid = g.Derive("filesystem")
	}
	if p.time.IsZero() {
		p.time = time.Unix(0, 0)
	}
	if p.tree == nil {
		p.tree = filetree.New()
	}
	p.seed = crc32c(^uint32(0), p.uuid[:])
	seed := g.Derive("hash-seed")
	for i := range p.dirSeed {
		p.dirSeed[i] = binary.LittleEndian.Uint32(seed[i*4:])
	}
	return p, p.checkParameters(fs, g)
}

// checkParameters refuses what is out of range.
func (p *plan) checkParameters(fs *FileSystem, g volume.Geometry) error {
	switch {
	case p.blockSize != 1024 && p.blockSize != 2048 && p.blockSize != 4096:
		return fmt.Errorf("block size %d: want 1024, 2048 or 4096", fs.BlockSize)
	case p.blockSize < int64(g.SectorSize):
		return fmt.Errorf("block size %d: want no less than the sector size %d", p.blockSize, g.SectorSize)
	case len(p.label) > 16:
		return fmt.Errorf("label %q of %d bytes: want at most 16", p.label, len(p.label))
	case p.reservedPercent < 0 || p.reservedPercent > 50:
		return fmt.Errorf("%d percent reserved: want 0 to 50, or None", fs.ReservedPercent)
	case fs.Inodes < 0 || fs.Inodes > 1<<32-1:
		return fmt.Errorf("%d inodes: want 0 to %d", fs.Inodes, uint32(1<<32-1))
	case g.Size < 0 || g.Size/p.blockSize > maxBlocks:
		return fmt.Errorf("size of %d bytes: want at most %d with blocks of %d", g.Size, maxBlocks*p.blockSize, p.blockSize)
	case p.time.Unix() < 0:
		return fmt.Errorf("creation time %s: want 1970 or later, as a superblock has it", p.time.UTC().Format(time.RFC3339))
	}
	if err := checkTime("creation time", p.time); err != nil {
		return err
	}
	return fs.checkJournal(p.blockSize)
}

// Info implements [volume.Plan].
func (p *plan) Info() volume.Info {
	return volume.Info{
		Format: "ext4",
		Label:  p.label,
		UUID:   p.uuid.String(),
		Size:   p.size,
		Used:   (p.layout.blocks - p.freeBlocks) * p.blockSize,
		Free:   p.free(),
		Files:  int64(p.tree.Len()),
	}
}

// free returns what no block is allocated in.
func (p *plan) free() (list []volume.Extent) {
	for _, r := range p.layout.free {
		if start := max(r.start, p.dataEnd); start < r.end {
			list = append(list, volume.Extent{Offset: start * p.blockSize, Length: (r.end - start) * p.blockSize})
		}
	}
	return list
}

// lastInode is the highest number in use.
func (p *plan) lastInode() uint32 { return inoLostFound - 1 + uint32(len(p.nodeOf)) }

// node returns the node that an inode is of. The reserved ones have none, and
// lost+found may have none.
func (p *plan) node(ino uint32) (filetree.Node, bool) {
	if ino == inoRoot {
		return p.tree.Root(), true
	}
	if ino < inoLostFound {
		return filetree.Node{}, false
	}
	id := p.nodeOf[ino-inoLostFound]
	if id == lostFoundID {
		return filetree.Node{}, false
	}
	return p.tree.Node(int(id)), true
}

// inode returns the number of a node's inode.
func (p *plan) inode(n filetree.Node) uint32 { return p.inodeOf[n.Inode().ID()] }

// shortage is what a size lacks for the tree.
type shortage struct{ blocks, inodes int64 }

// fit lays the file system out on a volume of size bytes, or on the smallest
// that holds it.
func (p *plan) fit(size int64) error {
	if size == 0 {
		return p.fitSmallest()
	}
	fs := &p.fs
	if fs.Inodes != 0 && fs.Inodes < int64(p.lastInode()) {
		return &volume.SizeError{Format: "ext4", Size: fs.Inodes, Need: int64(p.lastInode()), Resource: "inodes"}
	}
	p.size, p.journalLimit = size, maxJournal
	lack, err := p.try(size / p.blockSize)
	switch {
	case err != nil:
		return err
	case lack.inodes > 0:
		need := max(fs.Inodes, int64(p.lastInode()))
		return &volume.SizeError{Format: "ext4", Size: need - lack.inodes, Need: need, Resource: "inodes"}
	case lack.blocks > 0:
		if err := p.fitSmallest(); err != nil {
			return err
		}
		if p.size < size {
			return p.fitWithLessJournal(size)
		}
		return &volume.SizeError{Format: "ext4", Size: size, Need: max(p.size, size+1), Resource: "bytes"}
	}
	return nil
}

// fitWithLessJournal lays the file system out on a volume that lacks room only for
// the journal which volumes of its size have: with the journal of the smallest
// volume that holds the tree. So what fits a volume fits all that are larger.
func (p *plan) fitWithLessJournal(size int64) error {
	smallest := p.size
	p.size, p.journalLimit = size, p.journalBlocks
	lack, err := p.try(size / p.blockSize)
	if err == nil && lack != (shortage{}) {
		err = &volume.SizeError{Format: "ext4", Size: size, Need: max(smallest, size+1), Resource: "bytes"}
	}
	return err
}

// fitSmallest finds the smallest size: tables only grow with the size, so that
// what a size lacks is the least that has to be added to it.
func (p *plan) fitSmallest() error {
	fs := &p.fs
	if fs.Inodes != 0 && fs.Inodes < int64(p.lastInode()) {
		return &volume.SizeError{Format: "ext4", Size: fs.Inodes, Need: int64(p.lastInode()), Resource: "inodes"}
	}
	p.journalLimit = maxJournal
	for blocks := p.dataBlocks + 1; blocks <= maxBlocks; {
		lack, err := p.try(blocks)
		switch {
		case err != nil:
			return err
		case lack.inodes > 0:
			blocks += 8 * p.blockSize // another group
		case lack.blocks > 0:
			blocks += lack.blocks
		default:
			p.size = p.layout.blocks * p.blockSize
			return nil
		}
	}
	return fmt.Errorf("ext4: content of %d blocks: want at most %d with blocks of %d", p.dataBlocks, int64(maxBlocks), p.blockSize)
}

// try lays the file system out in so many blocks, or tells what these lack.
func (p *plan) try(blocks int64) (shortage, error) {
	inodes := p.fs.Inodes
	if inodes == 0 {
		inodes = max(int64(p.lastInode()), min(blocks*p.blockSize/bytesPerInode, 1<<32-1))
	}
	l, err := newLayout(p.blockSize, blocks, inodes)
	switch {
	case errors.Is(err, errTooSmall):
		return shortage{blocks: 1}, nil
	case errors.Is(err, errTooManyInodes):
		groups := ceilDiv(blocks, p.blockSize*8)
		return shortage{inodes: max(1, inodes-groups*p.blockSize*8)}, nil
	case errors.Is(err, errTooManyGroups):
		return shortage{}, fmt.Errorf("ext4: size of %d bytes: descriptors of its groups fill more than three quarters of a group; want larger blocks than %d bytes",
			blocks*p.blockSize, p.blockSize)
	}
	p.layout = l
	p.journalBlocks = min(p.fs.journalLen(blocks, p.blockSize), p.journalLimit)
	if need := p.dataBlocks + p.journalBlocks + 1; need > l.room { // and one of the resize inode
		return shortage{blocks: need - l.room}, nil
	}
	return shortage{blocks: p.placeAll()}, nil
}

// placeAll gives everything its blocks and returns how many were missing.
func (p *plan) placeAll() int64 {
	l := p.layout
	a := newAllocator(l)
	p.journal.reset()
	p.journal.content(&a, 0, p.journalBlocks)
	p.journal.finish(&a, l.blockSize)
	p.resizeBlock = a.take(1).start
	p.place(&a, inoRoot, &p.root)
	p.dirsIn = make([]uint32, l.groups)
	p.dirsIn[0] = 1 // the root
	var pl placement
	for ino := uint32(inoLostFound); ino <= p.lastInode(); ino++ {
		p.place(&a, ino, &pl)
		if n, ok := p.node(ino); !ok || n.IsDir() {
			p.dirsIn[l.groupOfInode(ino)]++
		}
	}
	p.dataEnd = max(a.next, l.first)
	p.freeBlocks = 0
	for g := range l.groups {
		p.freeBlocks += p.freeIn(g)
	}
	return a.missing
}
