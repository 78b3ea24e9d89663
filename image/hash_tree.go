package image

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

// RootHash is what a hash tree of an image has come to.
type RootHash struct {
	// Partition is the number of the hash tree's partition, Data of the one that it
	// is of.
	Partition, Data int
	// Hash is the hash at the tree's root.
	Hash verity.RootHash
}

// follower plans a content that is made of what another partition holds. Its plan
// is that of a [volume.Content], and fill says how it is written.
type follower interface {
	plan(g volume.Geometry) (volume.Info, error)
	fill(out *PlannedPartition, r *region)
}

// hashTree is the hash tree of one partition in another.
type hashTree struct {
	planner    *planner // while it is being planned
	index      int      // of the tree, in Plan.trees
	data, hash int      // indices of partitions
	// dataID and hashID tell that the partitions have IDs of the root hash.
	dataID, hashID bool
	content        *verity.HashTree
	tree           *verity.TreePlan // of the last geometry
}

func (t *hashTree) plan(g volume.Geometry) (info volume.Info, err error) {
	// Data that takes what is left of the disk, and has no size yet, gets a tree of
	// something until it has one.
	size := cmp.Or(t.planner.plan.Partitions[t.data].Size, MiB)
	if t.tree, err = t.content.PlanOf(g, size); err != nil {
		return info, fmt.Errorf("of %s: %w", t.planner.object(t.data), err)
	}
	return t.tree.Info(), nil
}

func (t *hashTree) fill(out *PlannedPartition, r *region) {
	out.Verity = &verity.Superblock{Params: t.tree.Params, DataBlocks: t.tree.Data / int64(t.tree.DataBlockSize)}
	r.needs = []int{t.index}
	r.derive = func(ctx context.Context, w *volume.Writer, trees []*verity.Tree) error {
		return trees[t.index].Write(ctx, w)
	}
}

// notes tell which IDs are to come.
func (t *hashTree) notes() (list []string) {
	note := func(part int, which string) {
		list = append(list, fmt.Sprintf("partition %d gets its ID when the image is written: the %s 16 bytes of the root hash in partition %d", part+1, which, t.hash+1))
	}
	if t.dataID {
		note(t.data, "first")
	}
	if t.hashID {
		note(t.hash, "last")
	}
	return list
}

// rootSignature is the signature of a hash tree's root.
type rootSignature struct {
	tree    *hashTree
	content *verity.Signature
}

func (s *rootSignature) plan(g volume.Geometry) (volume.Info, error) { return s.content.PlanOf(g) }

func (s *rootSignature) fill(_ *PlannedPartition, r *region) {
	r.needs = []int{s.tree.index}
	r.derive = func(_ context.Context, w *volume.Writer, trees []*verity.Tree) error {
		b, err := s.content.Sign(trees[s.tree.index].RootHash())
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	}
}

// relate finds what is made of other partitions, and which.
func (p *planner) relate() error {
	byHash := map[int]*hashTree{}
	for i := range p.layout.Partitions {
		c, ok := p.layout.Partitions[i].Content.(*verity.HashTree)
		if !ok {
			continue
		}
		t, err := p.hashTree(i, c)
		if err != nil {
			return err
		}
		byHash[i] = t
		p.followers[i] = t
		p.plan.trees = append(p.plan.trees, t)
	}
	for i := range p.layout.Partitions {
		c, ok := p.layout.Partitions[i].Content.(*verity.Signature)
		if !ok {
			continue
		}
		of, err := p.find(i, c.Of, c.Number)
		if err != nil {
			return err
		}
		if byHash[of] == nil {
			return p.badOf(i, c.Of, "the name of a partition with a hash tree, not of "+p.object(of))
		}
		p.followers[i] = &rootSignature{byHash[of], c}
	}
	return checkIDs(p.plan.Partitions)
}

// hashTree returns the hash tree that partition i holds.
func (p *planner) hashTree(i int, c *verity.HashTree) (*hashTree, error) {
	of, err := p.find(i, c.Of, c.Number)
	if err != nil {
		return nil, err
	}
	switch p.layout.Partitions[of].Content.(type) {
	case *verity.HashTree, *verity.Signature:
		return nil, p.badOf(i, c.Of, "a partition that is not made of another itself, as "+p.object(of)+" is")
	}
	for _, other := range p.plan.trees {
		if other.data == of {
			return nil, p.badOf(i, c.Of, "a partition of which there is no other hash tree: there is one in "+p.object(other.hash))
		}
	}
	t := &hashTree{planner: p, index: len(p.plan.trees), data: of, hash: i, content: c}
	if p.layout.Table == GPT {
		t.dataID = p.layout.Partitions[of].ID == uuid.Nil
		t.hashID = p.layout.Partitions[i].ID == uuid.Nil
	}
	if t.dataID {
		p.plan.Partitions[of].ID = uuid.Nil
	}
	if t.hashID {
		p.plan.Partitions[i].ID = uuid.Nil
	}
	return t, nil
}

// find returns the index of the partition that partition i is made of.
func (p *planner) find(i int, name string, number int) (int, error) {
	if number != 0 {
		if number < 1 || number > len(p.layout.Partitions) {
			return 0, p.badOf(i, fmt.Sprint(number), fmt.Sprintf("a number from 1 to %d", len(p.layout.Partitions)))
		}
		return number - 1, nil
	}
	found := -1
	for k := range p.layout.Partitions {
		if p.layout.Partitions[k].Name != name || name == "" {
			continue
		}
		if found >= 0 {
			return 0, p.badOf(i, name, fmt.Sprintf("a name that one partition has, not both %s and %s", p.object(found), p.object(k)))
		}
		found = k
	}
	if found < 0 {
		return 0, p.badOf(i, name, "the name of a partition")
	}
	return found, nil
}

func (p *planner) badOf(i int, name, want string) error {
	return &LayoutError{Object: p.object(i), Field: "of", Value: fmt.Sprintf("%q", name), Want: want}
}

// treeOf returns the number of the hash tree that is made of partition i, 0 for
// none.
func (p *planner) treeOf(i int) int {
	return slices.IndexFunc(p.plan.trees, func(t *hashTree) bool { return t.data == i }) + 1
}

// growTrees enlarges the sizes of those hash trees' partitions that, as they are
// placed, have no room for the tree. It reports whether there were any.
func (p *planner) growTrees(sizes []int64) (grown bool, err error) {
	for _, t := range p.plan.trees {
		if p.layout.Partitions[t.hash].Size != 0 {
			continue // as large as it was told to be: whether that will do is seen when it is filled
		}
		out := &p.plan.Partitions[t.hash]
		placed := out.Size
		if err := p.measurePartition(t.hash); err != nil {
			return false, err
		}
		if out.Size > placed {
			sizes[t.hash], grown = out.Size, true
		}
		out.Size = placed
	}
	return grown, nil
}

// openIDs returns the hash trees of which IDs of partitions come.
func (p *Plan) openIDs() (needs []int) {
	for _, t := range p.trees {
		if t.dataID || t.hashID {
			needs = append(needs, t.index)
		}
	}
	return needs
}

// identified returns the plan with the IDs that come of root hashes.
func (p *Plan) identified(trees []*verity.Tree) (*Plan, error) {
	q := *p
	q.Partitions = slices.Clone(p.Partitions)
	for _, t := range p.trees {
		root := trees[t.index].RootHash()
		if t.dataID {
			q.Partitions[t.data].ID = uuid.UUID(root[:16])
		}
		if t.hashID {
			q.Partitions[t.hash].ID = uuid.UUID(root[len(root)-16:])
		}
	}
	return &q, checkIDs(q.Partitions)
}

// checkIDs refuses partitions that have the same ID, as far as they have one.
func checkIDs(parts []PlannedPartition) error {
	owners := map[uuid.UUID]string{}
	for i := range parts {
		if parts[i].ID == uuid.Nil {
			continue
		}
		name := objectName("partition", i, parts[i].Name)
		if other, ok := owners[parts[i].ID]; ok {
			return &LayoutError{Object: name, Field: "id", Value: parts[i].ID, Want: "another than that of " + other}
		}
		owners[parts[i].ID] = name
	}
	return nil
}
