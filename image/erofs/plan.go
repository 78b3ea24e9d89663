package erofs

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

const (
	minBlockBits     = 9
	minBlockSize     = 1 << minBlockBits
	maxBlockSize     = 4096
	defaultBlockSize = 4096
	// maxBlocks is one less than what 32 bits can tell apart: the last is no block.
	maxBlocks = math.MaxUint32
)

// plan is a file system of which the place of every byte is known. Of a file it
// remembers where its inode is; what the inode says, and how long what belongs to it
// is, comes from the tree again when it is written.
type plan struct {
	tree      *filetree.Tree
	label     string
	uuid      uuid.UUID
	time      time.Time
	blockSize int64

	nodeOf  []uint32 // by the number of an inode: its node
	nidOf   []uint64 // by node: the offset of its inode on the volume / slotLen
	groups  []group
	placed  int // inodes that are in a group
	sharing sharing
	twins   map[uint32]*twin // by node: those of contents that several have
	chunked bool             // some file is
	blocks  int64            // in use, from the volume's start
	size    int64            // of the volume
}

func newPlan(ctx context.Context, fs *FileSystem, g volume.Geometry) (*plan, error) {
	p := &plan{
		tree:      fs.Tree,
		label:     fs.Label,
		uuid:      fs.UUID,
		time:      g.Time,
		blockSize: int64(cmp.Or(fs.BlockSize, defaultBlockSize)),
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
	if err := p.checkOptions(g.SectorSize); err != nil {
		return nil, fmt.Errorf("erofs: %w", err)
	}
	if err := p.scan(ctx); err != nil {
		return nil, err
	}
	if fs.Deduplicate {
		if err := p.findTwins(ctx); err != nil {
			return nil, fmt.Errorf("erofs: %w", err)
		}
	}
	if err := p.placeAll(ctx); err != nil {
		return nil, err
	}
	return p, p.fit(g.Size)
}

// checkOptions refuses what is out of range.
func (p *plan) checkOptions(sector int) error {
	switch {
	case p.blockSize < minBlockSize || p.blockSize > maxBlockSize || bits.OnesCount64(uint64(p.blockSize)) != 1:
		return fmt.Errorf("block size %d: %w: want a power of two from %d to %d", p.blockSize, ErrOption, minBlockSize, maxBlockSize)
	case p.blockSize < int64(sector):
		return fmt.Errorf("block size %d: %w: want no less than the sector size %d", p.blockSize, ErrOption, sector)
	case len(p.label) > maxLabel:
		return fmt.Errorf("label %q of %d bytes: %w: want at most %d", p.label, len(p.label), ErrOption, maxLabel)
	case strings.Contains(p.label, "\x00"):
		return fmt.Errorf("label %q: %w: want no NUL", p.label, ErrOption)
	case p.time.Unix() < 0:
		return fmt.Errorf("creation time %s: %w: want 1970 or later", p.time.UTC().Format(time.RFC3339), ErrOption)
	}
	return nil
}

// fit sets the size of the volume, to the smallest there is where it is 0.
func (p *plan) fit(size int64) error {
	need := p.blocks * p.blockSize
	if size != 0 && size < need {
		return &volume.SizeError{Format: format, Size: size, Need: need, Resource: "bytes"}
	}
	p.size = cmp.Or(size, need)
	return nil
}

// Replan implements [volume.Replanner].
func (p *plan) Replan(_ context.Context, g volume.Geometry) (volume.Plan, error) {
	if err := p.fit(g.Size); err != nil {
		return nil, err
	}
	return p, nil
}

// Info implements [volume.Plan].
func (p *plan) Info() volume.Info {
	return volume.Info{
		Format: format,
		Label:  p.label,
		UUID:   p.uuid.String(),
		Size:   p.size,
		Used:   p.blocks * p.blockSize,
		Files:  int64(p.tree.Len()),
	}
}

// node returns the node of an inode.
func (p *plan) node(number int) filetree.Node { return p.tree.Node(int(p.nodeOf[number])) }

// nid returns the place of a node's inode.
func (p *plan) nid(n filetree.Node) uint64 { return p.nidOf[n.Inode().ID()] }
