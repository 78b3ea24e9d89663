package verity

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/volume"
)

// Format is the name that blkid has for a hash tree.
const Format = "DM_verity_hash"

// HashTree is the content of a partition that holds the hash tree of another one:
// of all its bytes, those that its content leaves free included, as they are in the
// image.
//
// On a GPT disk, partitions whose ID is not given have the ones by which systemd
// finds them (Discoverable Partitions Specification): the first 16 bytes of the root
// hash are the ID of the partition that is hashed, the last 16 that of the hash
// tree's.
type HashTree struct {
	// Of is the name of the partition that is hashed. Where names do not tell
	// partitions apart, Number, if it is not 0, is the partition's number, from 1.
	Of     string
	Number int
	// Params are the tree's parameters. A nil Salt is 32 bytes derived from the
	// seed, an empty one none; a zero UUID is derived as well.
	Params
	// TempDir is where there is room for the tree until it is written, 1/127 of
	// the data: see [Hasher]. "" is the geometry's.
	TempDir string
}

var _ volume.Content = (*HashTree)(nil)

// Plan is an [ErrAlone]: a hash tree by itself cannot be planned. An image.Layout
// calls PlanOf. Plan makes a HashTree a [volume.Content].
func (t *HashTree) Plan(context.Context, volume.Geometry) (volume.Plan, error) {
	return nil, fmt.Errorf("hash tree of partition %q: %w", t.Of, ErrAlone)
}

// PlanOf plans the hash tree of size bytes of data on a volume with the geometry g.
// A g.Size of 0 asks for the smallest; one that does not do is a
// [*volume.SizeError].
func (t *HashTree) PlanOf(g volume.Geometry, size int64) (*TreePlan, error) {
	p := TreePlan{Params: t.Params.withDefaults(), Data: size, dir: cmp.Or(t.TempDir, g.TempDir)}
	if p.Salt == nil {
		purpose := g.Derive("verity-salt")
		salt := sha256.Sum256(purpose[:])
		p.Salt = salt[:]
	}
	if p.UUID == uuid.Nil {
		p.UUID = g.Derive("verity")
	}
	var err error
	if p.Size, err = p.TreeSize(size); err != nil {
		return nil, err
	}
	switch {
	case min(p.DataBlockSize, p.HashBlockSize) < g.SectorSize:
		return nil, fmt.Errorf("verity: blocks of %d bytes: %w: want at least the disk's sectors, %d", min(p.DataBlockSize, p.HashBlockSize), ErrOption, g.SectorSize)
	case g.Size != 0 && p.Size > g.Size:
		return nil, &volume.SizeError{Format: Format, Size: g.Size, Need: p.Size, Resource: "bytes"}
	}
	return &p, nil
}

// TreePlan is a hash tree with nothing left open but its data.
type TreePlan struct {
	Params
	// Data and Size are the sizes in bytes of the data and of the tree.
	Data, Size int64

	dir string
}

// Info describes the volume.
func (p *TreePlan) Info() volume.Info {
	return volume.Info{Format: Format, UUID: p.UUID.String(), Size: p.Size, Used: p.Size}
}

// NewHasher returns what makes the tree of the data.
func (p *TreePlan) NewHasher() (*Hasher, error) { return NewHasher(p.Params, p.Data, p.dir) }
