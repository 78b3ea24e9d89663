package image

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/drivebay/drivebay/image/volume"
)

// maxDisk is the largest disk in bytes: what a signed offset can reach, less a
// sector.
const maxDisk int64 = math.MaxInt64 - 4095

// check refuses what a partition says of itself that no table can hold, or that
// contradicts itself.
func (p *planner) check(part *Partition, out *PlannedPartition, name string) (err error) {
	bad := func(field string, value any, want string) error {
		return &LayoutError{Object: name, Field: field, Value: value, Want: want}
	}
	sector := int64(p.layout.SectorSize)
	for _, f := range []struct {
		field string
		bytes int64
		unit  int64
	}{
		{"start", part.Start, sector}, {"size", part.Size, sector},
		{"min size", part.MinSize, 1}, {"max size", part.MaxSize, 1}, {"free", part.Free, 1},
		{"free percent", int64(part.FreePercent), 1}, {"weight", int64(part.Weight), 1},
	} {
		if f.bytes < 0 || f.bytes > maxDisk {
			return bad(f.field, f.bytes, fmt.Sprintf("0 to %d", maxDisk))
		}
		if f.bytes%f.unit != 0 {
			return bad(f.field, f.bytes, fmt.Sprintf("a multiple of the sector size, %d", f.unit))
		}
	}
	switch units := len(utf16.Encode([]rune(part.Name))); {
	case p.layout.Table == GPT && units > 36:
		return bad("name", fmt.Sprintf("%q of %d UTF-16 units", part.Name, units), "at most 36, all that a GPT holds")
	case strings.ContainsRune(part.Name, 0) || !utf8.ValidString(part.Name):
		return bad("name", fmt.Sprintf("%q", part.Name), "UTF-8 without NUL, at which a GPT ends a name")
	case part.Size != 0 && (part.MinSize != 0 || part.MaxSize != 0 || part.Weight != 0 || part.Free != 0 || part.FreePercent != 0):
		return bad("size", part.Size, "either a size, or bounds, free room and a weight for it")
	case part.MaxSize != 0 && part.MaxSize < part.MinSize:
		return bad("max size", part.MaxSize, fmt.Sprintf("at least the minimum, %d", part.MinSize))
	case p.layout.Table != GPT && part.Attributes&^LegacyBoot != 0, p.layout.Table == NoTable && part.Attributes != 0:
		return bad("attributes", part.Attributes, fmt.Sprintf("none that a table of type %s cannot hold", p.layout.Table))
	case p.layout.Table != GPT && part.HybridType != "":
		return bad("hybrid type", part.HybridType, "none but on a GPT disk")
	case p.layout.Table == NoTable && part.Start != 0:
		return bad("start", part.Start, "0 on a disk without a table")
	}
	switch p.layout.Table {
	case GPT:
		if _, err = part.Type.GUID(); err == nil && part.HybridType != "" {
			out.mbrType, err = part.HybridType.MBR()
		}
	case MBR:
		out.mbrType, err = part.Type.MBR()
	}
	if err != nil {
		return &LayoutError{Object: name, Field: "type", Value: fmt.Sprintf("%q", string(part.Type)), Err: err}
	}
	return nil
}

// measure gives every partition its size, but for its share of what is left: first
// those that hold something of their own, then those that are made of others.
func (p *planner) measure() error {
	for _, following := range []bool{false, true} {
		for i := range p.layout.Partitions {
			if _, ok := p.followers[i]; ok != following {
				continue
			}
			if err := p.measurePartition(i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *planner) measurePartition(i int) error {
	part, out := &p.layout.Partitions[i], &p.plan.Partitions[i]
	out.Size = part.Size
	if p.layout.Table == NoTable {
		out.Size = p.layout.Size
	}
	if out.Size != 0 {
		return nil
	}
	need, err := p.need(i)
	if err != nil {
		return err
	}
	out.Size = alignUp(max(need, part.MinSize), p.layout.Align)
	if part.MaxSize != 0 && out.Size > part.MaxSize {
		// A maximum that is no multiple of the alignment is still a size.
		out.Size = part.MaxSize - part.MaxSize%int64(p.layout.SectorSize)
	}
	switch {
	case need > out.Size:
		return &LayoutError{Object: p.object(i), Field: "max size", Value: part.MaxSize, Want: fmt.Sprintf("at least the %d bytes that the content needs", need)}
	case out.Size == 0 && part.Weight == 0:
		return &LayoutError{Object: p.object(i), Field: "size", Value: 0, Want: "a size, a content to fit, or a weight"}
	}
	return nil
}

// need returns the bytes that partition i needs for its content and the free
// room asked for.
func (p *planner) need(i int) (int64, error) {
	part := &p.layout.Partitions[i]
	if part.Content == nil {
		return part.Free, nil
	}
	size, err := p.fit(i)
	if err != nil {
		return 0, &LayoutError{Object: p.object(i), Field: "content", Err: err}
	}
	free := float64(part.Free) + float64(size)/100*float64(part.FreePercent)
	if float64(size)+free > float64(maxDisk) {
		return 0, &LayoutError{Object: p.object(i), Field: "free", Value: int64(min(free, float64(maxDisk)/2)), Want: fmt.Sprintf("a partition of at most %d bytes", maxDisk)}
	}
	return size + int64(free), nil
}

// fit returns the bytes that the content of partition i needs.
func (p *planner) fit(i int) (int64, error) {
	g := p.geometry(i)
	g.Size = 0
	if f, ok := p.followers[i]; ok {
		info, err := f.plan(g)
		return info.Size, err
	}
	v, err := p.layout.Partitions[i].Content.Plan(p.ctx, g)
	if err != nil {
		return 0, err
	}
	if r, ok := v.(volume.Replanner); ok {
		p.fitted[i] = r
	}
	return v.Info().Size, nil
}

// place gives every partition its place. A partition that is given a share of what
// is left of the disk may need a larger hash tree, which leaves less to be shared:
// then all begins anew with the larger one.
func (p *planner) place() error {
	sizes := make([]int64, len(p.plan.Partitions))
	for i := range sizes {
		sizes[i] = p.plan.Partitions[i].Size
	}
	for {
		if err := p.arrange(); err != nil {
			return err
		}
		grown, err := p.growTrees(sizes)
		if err != nil || !grown {
			return err
		}
		for i, size := range sizes {
			p.plan.Partitions[i].Size = size
		}
	}
}

// arrange gives every partition its start: the place asked for, or the next
// aligned one. What is left before each fixed start, and before the end of the
// disk, goes to the partitions with a weight before it.
func (p *planner) arrange() error {
	first := 0 // of the run of partitions that share what is left
	for i := range p.layout.Partitions {
		if start := p.layout.Partitions[i].Start; start != 0 && i > first {
			p.share(first, i, start)
			first = i
		}
		p.start(i)
	}
	if p.end != 0 {
		p.share(first, len(p.layout.Partitions), p.end)
	}
	for i := range p.plan.Partitions {
		out := &p.plan.Partitions[i]
		if out.Size == 0 {
			return &LayoutError{Object: p.object(i), Field: "weight", Value: p.layout.Partitions[i].Weight, Want: "a disk with room left: a larger size of the disk"}
		}
		if out.Start < p.begin {
			return &LayoutError{Object: p.object(i), Field: "start", Value: out.Start, Want: fmt.Sprintf("at least %d, behind the partition table", p.begin)}
		}
		if p.end != 0 && out.Size > p.end-out.Start {
			return &LayoutError{Object: p.object(i), Field: "size", Value: out.Size,
				Err: &SizeError{Format: "disk", Size: max(0, p.end-out.Start), Need: out.Size, Resource: "bytes"}}
		}
	}
	return nil
}

// start places partition i behind the one before it, or where it wants to be.
func (p *planner) start(i int) {
	at := p.begin
	if i > 0 {
		at = p.plan.Partitions[i-1].End()
	}
	if p.layout.Table != NoTable {
		at = alignUp(at, p.layout.Align)
	}
	if want := p.layout.Partitions[i].Start; want != 0 {
		at = want
	}
	p.plan.Partitions[i].Start = at
}

// share gives what is left between the last partition of a run and limit to
// those of the run that have a weight, and moves the run accordingly.
func (p *planner) share(first, last int, limit int64) {
	if first == last {
		return
	}
	left := limit - p.plan.Partitions[last-1].End()
	taking := map[int]bool{}
	for i := first; i < last; i++ {
		taking[i] = p.layout.Partitions[i].Weight > 0
	}
	for left >= p.layout.Align {
		given := p.shareOnce(first, last, left, taking)
		if given == 0 {
			break
		}
		left -= given
	}
	for i := first; i < last; i++ {
		p.start(i)
	}
}

// shareOnce hands out left by weight, in units of the alignment, the last taking
// what rounding leaves, and returns how much has been taken. A partition that
// reaches its maximum takes no more.
func (p *planner) shareOnce(first, last int, left int64, taking map[int]bool) (given int64) {
	total, rest := 0, -1
	for i := first; i < last; i++ {
		if taking[i] {
			total += p.layout.Partitions[i].Weight
			rest = i
		}
	}
	for i := first; i <= rest; i++ {
		if !taking[i] {
			continue
		}
		part, out := &p.layout.Partitions[i], &p.plan.Partitions[i]
		grow := int64(float64(left) / float64(total) * float64(part.Weight))
		if i == rest {
			grow = left - given
		}
		grow -= grow % p.layout.Align
		if room := part.MaxSize - out.Size; part.MaxSize != 0 && grow >= room {
			grow = max(0, room-room%int64(p.layout.SectorSize))
			taking[i] = false
		}
		out.Size += grow
		given += grow
	}
	return given
}

// alignUp returns the first multiple of unit that is not below n.
func alignUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }
