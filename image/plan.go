package image

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

// Plan is a disk of which the place of every byte is known. It is made by
// [Layout.Plan] and does not change.
type Plan struct {
	// Table, SectorSize, Size and ID are the disk's, with nothing left open.
	Table      Table
	SectorSize int
	Size       int64
	ID         uuid.UUID
	// Partitions are the partitions in the order of their numbers.
	Partitions []PlannedPartition

	regions []region    // everything to be written, by offset
	trees   []*hashTree // those of dm-verity
}

// PlannedPartition is a partition with its place.
type PlannedPartition struct {
	// Number is the partition's number, from 1.
	Number int
	// Name, Type, ID and Attributes are what the table says. A zero ID is to come
	// of a root hash: see [verity.HashTree].
	Name       string
	Type       Type
	ID         uuid.UUID
	Attributes Attributes
	// Start and Size are the partition's place in bytes.
	Start, Size int64
	// Volume describes what it holds. Its zero value is an empty partition.
	Volume volume.Info
	// Verity describes the hash tree that it holds, nil if it holds none.
	Verity *verity.Superblock

	mbrType byte // on an MBR disk, or in a hybrid MBR
}

// End returns the offset of the first byte behind the partition.
func (p *PlannedPartition) End() int64 { return p.Start + p.Size }

// region is a part of the disk with something to write. Regions never overlap.
type region struct {
	name         string
	offset, size int64
	// write is nil where there is nothing but zeros.
	write func(ctx context.Context, w *volume.Writer) error
	// derive writes what cannot be known without the trees of needs. Then write is
	// nil.
	derive func(ctx context.Context, w *volume.Writer, trees []*verity.Tree) error
	needs  []int
	// tree tells whether the region is hashed: it is the number, from 1, of the
	// plan's hash tree that is made of it.
	tree int
}

// Plan lays the disk out. It reads the metadata of contents but, where they are
// not compressed, none of the contents; it writes nothing, and gives the same
// plan whenever it is called on the same layout. Whatever cannot be built is an
// error here: a [*LayoutError] that names what is wrong, or for a content that
// does not fit, a [*SizeError] inside one.
func (l *Layout) Plan(ctx context.Context) (_ *Plan, err error) {
	defer filetree.Recover(&err)
	p := &planner{ctx: ctx, layout: *l, fitted: map[int]volume.Replanner{}, followers: map[int]follower{}}
	for _, step := range []func() error{p.defaults, p.identify, p.relate, p.measure, p.place, p.fill, p.enclose} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return &p.plan, nil
}

// planner turns a layout into a plan, step by step.
type planner struct {
	ctx        context.Context
	layout     Layout // with its defaults filled in
	plan       Plan
	begin, end int64                    // what partitions may use, bytes; end is 0 while the size is open
	fitted     map[int]volume.Replanner // by partition, those that were planned without a size
	followers  map[int]follower         // by partition, those that are made of another one
}

// defaults checks what concerns the whole disk and fills in what is not given.
func (p *planner) defaults() error {
	l := &p.layout
	l.SectorSize = cmp.Or(l.SectorSize, 512)
	l.Align = cmp.Or(l.Align, MiB)
	sector := int64(l.SectorSize)
	switch {
	case l.Table < GPT || l.Table > NoTable:
		return disk("table", int(l.Table), "gpt, mbr or none")
	case sector != 512 && sector != 4096:
		return disk("sector size", sector, "512 or 4096")
	case l.Align < sector || l.Align%sector != 0:
		return disk("align", l.Align, fmt.Sprintf("a multiple of the sector size, %d", sector))
	case l.Size < 0 || l.Size%sector != 0:
		return disk("size", l.Size, fmt.Sprintf("a multiple of the sector size, %d", sector))
	case len(l.Partitions) > maxPartitions(l.Table):
		return disk("partitions", len(l.Partitions), fmt.Sprintf("at most %d in a table of type %s", maxPartitions(l.Table), l.Table))
	}
	if l.Table == NoTable && len(l.Partitions) == 1 && l.Size == 0 {
		l.Size = l.Partitions[0].Size
	}
	if l.Time.IsZero() {
		var err error
		if l.Time, err = SourceDate(); err != nil {
			return err
		}
	}
	if l.Seed == uuid.Nil {
		l.Seed = l.ownSeed()
	}
	p.begin, p.end = usable(l.Table, l.SectorSize, l.Size)
	if l.Size != 0 && p.end <= p.begin {
		return disk("size", l.Size, fmt.Sprintf("more than the %d bytes that the partition table takes", p.begin+l.Size-p.end))
	}
	p.plan = Plan{Table: l.Table, SectorSize: l.SectorSize, Size: l.Size, ID: l.ID}
	if p.plan.ID == uuid.Nil {
		p.plan.ID = volume.Derive(l.Seed, "disk")
	}
	return nil
}

// maxPartitions returns how many partitions a table holds: what go-diskfs writes
// for a GPT, and the primary ones of an MBR.
func maxPartitions(t Table) int {
	return map[Table]int{GPT: 128, MBR: 4, NoTable: 1}[t]
}

// SourceDate returns the time at which the file systems of a layout without a
// Time say that they were made: SOURCE_DATE_EPOCH, or else 1980-01-01. A variable
// that is no number of seconds is a [*LayoutError].
func SourceDate() (time.Time, error) {
	const name = "SOURCE_DATE_EPOCH" // https://reproducible-builds.org/specs/source-date-epoch/
	s, ok := os.LookupEnv(name)
	if !ok || s == "" {
		return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), nil
	}
	sec, err := strconv.ParseInt(s, 10, 64)
	if err != nil || sec < 0 {
		return time.Time{}, disk("environment variable "+name, strconv.Quote(s), "a number of seconds since 1970")
	}
	return time.Unix(sec, 0).UTC(), nil
}

// ownSeed returns the seed of a layout that states none.
func (l *Layout) ownSeed() uuid.UUID {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d %d\n", l.Table, l.SectorSize, l.Size)
	for _, p := range l.Partitions {
		fmt.Fprintf(h, "%q %q %d %d\n", p.Name, p.Type, p.Start, p.Size)
	}
	return volume.Derive(uuid.Nil, string(h.Sum(nil)))
}

// identify checks what each partition says of itself, and enters it in the plan.
func (p *planner) identify() error {
	hybrid := 0
	for i := range p.layout.Partitions {
		part := &p.layout.Partitions[i]
		out := PlannedPartition{
			Number: i + 1, Name: part.Name, Type: part.Type.full(), ID: part.ID, Attributes: part.Attributes,
		}
		if out.ID == uuid.Nil {
			out.ID = volume.Derive(p.layout.Seed, "partition "+strconv.Itoa(i+1))
		}
		name := objectName("partition", i, part.Name)
		if part.HybridType != "" {
			hybrid++
		}
		if hybrid > 3 {
			return &LayoutError{Object: name, Field: "hybrid type", Value: part.HybridType, Want: "at most 3 partitions in a hybrid MBR"}
		}
		if err := p.check(part, &out, name); err != nil {
			return err
		}
		p.plan.Partitions = append(p.plan.Partitions, out)
	}
	return nil
}

// disk returns the error of a field of the disk itself.
func disk(field string, value any, want string) error {
	return &LayoutError{Object: "disk", Field: field, Value: value, Want: want}
}

// objectName returns what errors call the partition or blob with index i.
func objectName(kind string, i int, name string) string {
	if name == "" {
		return fmt.Sprintf("%s %d", kind, i+1)
	}
	return fmt.Sprintf("%s %d (%s)", kind, i+1, name)
}

// object returns what errors call partition i.
func (p *planner) object(i int) string {
	return objectName("partition", i, p.layout.Partitions[i].Name)
}

// geometry returns what partition i's content is told.
func (p *planner) geometry(i int) volume.Geometry {
	part := &p.plan.Partitions[i]
	return volume.Geometry{
		SectorSize: p.layout.SectorSize,
		Offset:     part.Start,
		Size:       part.Size,
		Seed:       volume.Derive(p.layout.Seed, "content "+strconv.Itoa(i+1)),
		Time:       p.layout.Time,
		TempDir:    p.layout.TempDir,
	}
}

// fill plans the contents in their final places.
func (p *planner) fill() error {
	for i := range p.layout.Partitions {
		out := &p.plan.Partitions[i]
		r := region{name: p.object(i), offset: out.Start, size: out.Size, tree: p.treeOf(i)}
		if p.layout.Partitions[i].Content == nil {
			p.add(r)
			continue
		}
		if err := p.content(i, &r); err != nil {
			return &LayoutError{Object: p.object(i), Field: "size", Value: out.Size, Err: err}
		}
		if out.Volume.Size > out.Size {
			return &LayoutError{Object: p.object(i), Field: "size", Value: out.Size,
				Err: &SizeError{Format: out.Volume.Format, Size: out.Size, Need: out.Volume.Size, Resource: "bytes"}}
		}
		p.add(r)
	}
	return p.blobs()
}

// content plans the content of partition i in its final place, and says how it is
// written.
func (p *planner) content(i int, r *region) (err error) {
	out := &p.plan.Partitions[i]
	if f, ok := p.followers[i]; ok {
		if out.Volume, err = f.plan(p.geometry(i)); err == nil {
			f.fill(out, r)
		}
		return err
	}
	var v volume.Plan
	if fitted, ok := p.fitted[i]; ok {
		v, err = fitted.Replan(p.ctx, p.geometry(i))
	} else {
		v, err = p.layout.Partitions[i].Content.Plan(p.ctx, p.geometry(i))
	}
	if err == nil {
		out.Volume, r.write = v.Info(), v.Write
	}
	return err
}

// blobs plans what lies outside the partitions.
func (p *planner) blobs() error {
	for i, b := range p.layout.Blobs {
		name := objectName("blob", i, b.Name)
		if (b.Content == nil) == (b.Locate == nil) {
			return &LayoutError{Object: name, Field: "content", Value: "none, or two", Want: "a content, such as Raw, or a function that returns it"}
		}
		if b.Offset < 0 || b.Offset%int64(p.layout.SectorSize) != 0 {
			return &LayoutError{Object: name, Field: "offset", Value: b.Offset, Want: fmt.Sprintf("a multiple of the sector size, %d", p.layout.SectorSize)}
		}
		v, err := p.blob(&b, volume.Geometry{
			SectorSize: p.layout.SectorSize, Offset: b.Offset, Time: p.layout.Time,
			Seed: volume.Derive(p.layout.Seed, "blob "+strconv.Itoa(i+1)),
		})
		if err != nil {
			return &LayoutError{Object: name, Field: "content", Err: err}
		}
		p.add(region{name: name, offset: b.Offset, size: v.Info().Size, write: v.Write})
	}
	return nil
}

// blob plans the content of a blob.
func (p *planner) blob(b *Blob, g volume.Geometry) (volume.Plan, error) {
	content := b.Content
	if b.Locate != nil {
		var err error
		if content, err = b.Locate(&p.plan); err != nil {
			return nil, err
		}
		if content == nil {
			return nil, errors.New("the function that returns it has returned none")
		}
	}
	return content.Plan(p.ctx, g)
}

func (p *planner) add(r region) { p.plan.regions = append(p.plan.regions, r) }

// enclose settles the size of the disk, adds the table and refuses overlaps.
func (p *planner) enclose() error {
	if p.plan.Size == 0 {
		p.plan.Size = p.smallest()
	}
	tables, err := p.plan.tables()
	if err != nil {
		return err
	}
	regions := append(p.plan.regions, tables...)
	sortRegions(regions)
	for i, r := range regions {
		if i > 0 && r.offset < regions[i-1].end() {
			before := regions[i-1]
			return &LayoutError{Object: r.name, Field: "start", Value: r.offset,
				Want: fmt.Sprintf("at least %d, where %s ends that begins at %d", before.end(), before.name, before.offset)}
		}
		if r.end() > p.plan.Size {
			return &LayoutError{Object: r.name, Field: "end", Value: r.end(), Want: fmt.Sprintf("at most the disk's size, %d", p.plan.Size)}
		}
	}
	p.plan.regions = regions
	return nil
}

func (r region) end() int64 { return r.offset + r.size }

func sortRegions(list []region) {
	slices.SortStableFunc(list, func(a, b region) int { return cmp.Compare(a.offset, b.offset) })
}

// smallest returns the size of the smallest disk that holds all regions.
func (p *planner) smallest() int64 {
	end := p.begin
	for _, r := range p.plan.regions {
		end = max(end, r.end())
	}
	_, tail := reserved(p.layout.Table, p.layout.SectorSize)
	return alignUp(end+tail, p.layout.Align)
}
