package repart

import (
	"context"
	"fmt"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

// What systemd-repart takes for granted of sizes, in bytes (src/repart/repart.c).
const (
	defaultMin    = 10 << 20        // without SizeMinBytes
	tableSize     = 1<<20 + 5*grain // what the partition table takes of a disk
	smallDisk     = 4 << 20         // up to there, libfdisk leaves no room before the first partition
	tableEnd      = 5 * grain       // the backup table, in whole grains
	firstOnLarge  = 1 << 20
	firstOnSmall  = 5 * grain // behind the table
	first4KSector = 6 * grain // behind the table in sectors of 4096 bytes
)

// placed is a partition with its claims.
type placed struct {
	*partition
	start         int64
	size, padding claim
}

// place settles the disk's size, and the place of every partition that fits.
func (l *Layout) place(ctx context.Context, disk *image.Layout) ([]*placed, error) {
	var parts []*placed
	for i, p := range l.all {
		c, err := l.claims(ctx, disk, p, i+1)
		if err != nil {
			return nil, err
		}
		parts = append(parts, c)
	}
	if err := minimizeTrees(parts); err != nil {
		return nil, err
	}
	if disk.Size == 0 {
		disk.Size = tableSize + need(parts)
	}
	first, span := area(disk)
	l.Omitted = nil
	for need(parts) > span {
		rest := l.omit(parts)
		if len(rest) == len(parts) {
			return nil, &Error{l.definitions.at(), fmt.Errorf("partitions: %w: want a larger disk, or partitions with a Priority above 0 that may be left out",
				&image.SizeError{Format: "disk", Size: disk.Size, Need: disk.Size - span + need(parts), Resource: "bytes"})}
		}
		parts = rest
	}
	arrange(parts, first, span)
	return parts, nil
}

// area returns where partitions may begin, and how many bytes they may take.
func area(disk *image.Layout) (first, span int64) {
	first = firstOnLarge
	if disk.Size <= smallDisk {
		first = firstOnSmall
		if disk.SectorSize == 4096 {
			first = first4KSector
		}
	}
	return first, max(0, disk.Size/grain*grain-tableEnd-first)
}

// need returns how many bytes partitions take at least.
func need(parts []*placed) (sum int64) {
	for _, p := range parts {
		sum += roundUp(p.size.min + p.padding.min)
	}
	return sum
}

// omit leaves out the partitions of the highest priority above 0.
func (l *Layout) omit(parts []*placed) (rest []*placed) {
	highest := int32(1)
	for _, p := range parts {
		highest = max(highest, p.Priority)
	}
	for _, p := range parts {
		if p.Priority == highest {
			l.Omitted = append(l.Omitted, p.Definition)
			continue
		}
		rest = append(rest, p)
	}
	return rest
}

// arrange gives partitions, which fit, their sizes and their places. What rounding
// has left goes to the first that may have it.
func arrange(parts []*placed, first, span int64) {
	var claims []*claim
	for _, p := range parts {
		claims = append(claims, &p.size, &p.padding)
	}
	left := distribute(claims, span)
	at := first
	for _, p := range parts {
		grown := max(p.size.size, min((p.size.size+left)/grain*grain, p.size.max))
		left -= grown - p.size.size
		p.size.size = grown
		p.start = at
		at += p.size.size + p.padding.size
	}
}

// claims returns what a partition has a claim to.
func (l *Layout) claims(ctx context.Context, disk *image.Layout, p *partition, number int) (*placed, error) {
	c := &placed{
		partition: p,
		size:      claim{weight: p.Weight, min: p.leastSize(), max: unlimited},
		padding:   claim{weight: p.PaddingWeight, min: max(0, p.PaddingMin), max: unlimited},
	}
	if p.SizeMax >= 0 {
		c.size.max = max(p.SizeMax, c.size.min)
	}
	if p.PaddingMax >= 0 {
		c.padding.max = p.PaddingMax
	}
	switch {
	case p.Verity == VeritySignature:
		c.size.min, c.size.max = verity.SignatureSize, verity.SignatureSize
		return c, nil
	case p.Minimize == MinimizeOff, p.Verity == VerityHash:
		return c, nil
	}
	plan, err := p.content.Plan(ctx, volume.Geometry{
		SectorSize: disk.SectorSize, Seed: volume.Derive(disk.Seed, fmt.Sprintf("content %d", number)), Time: disk.Time,
		TempDir: disk.TempDir,
	})
	if err != nil {
		return nil, p.placeOf(err).failf("Format=%s: %w", p.Format, err)
	}
	return c, c.minimize(roundUp(plan.Info().Size))
}

// leastSize returns how small a partition may be, but for its files.
func (p *partition) leastSize() int64 {
	least := int64(grain)
	switch raw, isRaw := p.content.(image.Raw); {
	case isRaw:
		least = roundUp(raw.Size)
	case p.Format != "":
		least = max(grain, formats[p.Format].minSize)
	}
	switch {
	case p.SizeMin >= 0:
		return max(least, p.SizeMin)
	case p.Minimize != MinimizeOff:
		return least
	}
	return max(least, defaultMin)
}

// minimize makes the need of the files the minimum of the size, and of a read-only
// file system the size itself.
func (c *placed) minimize(need int64) error {
	if c.SizeMax >= 0 && need > c.SizeMax {
		return c.place("SizeMaxBytes").failf("SizeMaxBytes %d: want at least %d, what the files need, at %s",
			c.SizeMax, need, c.Definition.place("CopyFiles", "Format"))
	}
	if formats[c.Format].readOnly {
		c.size.min = max(need, c.SizeMin)
		c.size.max = c.size.min
		return nil
	}
	c.size.min = max(c.size.min, need)
	c.size.max = max(c.size.max, c.size.min)
	return nil
}
