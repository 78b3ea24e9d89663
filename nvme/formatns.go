package nvme

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// NamespaceFormat says how to format a namespace. All but Serial and NSID may be
// zero.
type NamespaceFormat struct {
	Consent
	Follow

	// NSID is the namespace. To format all at once, format them one by one.
	NSID uint32
	// BlockSize is the bytes of data in a logical block; 0 keeps what it has.
	BlockSize int
	// MetadataSize is the bytes of metadata for each block. With a BlockSize of 0
	// it is not looked at, and stays as it is.
	MetadataSize int
	// ExtendedLBA, Protection, ProtectionFirst and Erase are as in [FormatOptions].
	ExtendedLBA     bool
	Protection      uint8
	ProtectionFirst bool
	Erase           SecureErase
}

// FormatPlan is the plan of a format. [PlanFormat] makes one, Run carries it out.
type FormatPlan struct {
	Options  FormatOptions
	Before   LBAFormat
	After    LBAFormat
	Size     uint64   // bytes of data in the namespace now
	Affected []uint32 // all NSIDs that lose their data
	InUse    []string // who uses them

	target target
	c      *Controller
	o      NamespaceFormat
}

// FormatResult is what became of a format.
type FormatResult struct {
	Before, After LBAFormat
	Blocks        uint64 // logical blocks of the namespace now
}

// String says what happened in one line.
func (r FormatResult) String() string {
	return fmt.Sprintf("formatted from %v to %v, %d blocks", r.Before, r.After, r.Blocks)
}

// FormatNamespace plans a format and carries it out; see [PlanFormat] and
// [FormatPlan.Run].
func FormatNamespace(ctx context.Context, c *Controller, o NamespaceFormat) (FormatResult, error) {
	p, err := PlanFormat(ctx, c, o)
	if err != nil {
		return FormatResult{}, err
	}
	return p.Run(ctx)
}

// PlanFormat chooses the LBA format, checks it against what the drive offers and
// the namespaces against who uses them, and changes nothing. Of several formats
// with the sizes asked for, it takes the one that the drive says is fastest.
//
// Namespaces that are in use are part of the plan, and let Run fail.
func PlanFormat(ctx context.Context, c *Controller, o NamespaceFormat) (*FormatPlan, error) {
	const op = "format namespace"
	if err := checkNSID(op, o.NSID, false); err != nil {
		return nil, err
	}
	t, err := identifyTarget(ctx, c, op, o.Consent)
	if err != nil {
		return nil, err
	}
	ns, err := c.IdentifyNamespace(ctx, o.NSID)
	if err != nil {
		return nil, err
	}
	if ns.Size == 0 {
		return nil, &ArgumentError{op, "NSID", o.NSID, "an active namespace"}
	}
	index, err := o.choose(op, ns)
	if err != nil {
		return nil, err
	}
	p := &FormatPlan{
		Options: FormatOptions{NSID: o.NSID, Format: index, ExtendedLBA: o.ExtendedLBA, Protection: o.Protection,
			ProtectionFirst: o.ProtectionFirst, Erase: o.Erase},
		Before: ns.Format(), After: ns.Formats[index], Size: ns.Size * uint64(ns.Format().BlockSize()),
		Affected: []uint32{o.NSID}, target: t, c: c, o: o,
	}
	if err := c.CheckFormat(ctx, p.Options); err != nil {
		return nil, err
	}
	fna := t.id.FormatAttributes
	if fna&FormatAllNamespaces != 0 || o.Erase != NoErase && fna&EraseAllNamespaces != 0 {
		if p.Affected, err = c.ActiveNamespaces(ctx); err != nil {
			return nil, err
		}
	}
	p.InUse = users(c.t, p.Affected)
	return p, nil
}

// choose returns the index of the LBA format asked for.
func (o *NamespaceFormat) choose(op string, ns *IdentifyNamespace) (int, error) {
	if o.BlockSize == 0 {
		return ns.FormatIndex(), nil
	}
	best, offered := -1, []string{}
	for i, f := range ns.OfferedFormats() {
		if !f.Offered() {
			continue
		}
		offered = append(offered, f.String())
		if f.BlockSize() == o.BlockSize && int(f.MetadataSize) == o.MetadataSize &&
			(best < 0 || f.RelativePerformance&3 < ns.Formats[best].RelativePerformance&3) {
			best = i
		}
	}
	if best < 0 {
		return 0, &ArgumentError{op, "BlockSize and MetadataSize", fmt.Sprintf("%d+%d", o.BlockSize, o.MetadataSize),
			"one of " + strings.Join(offered, ", ")}
	}
	return best, nil
}

// String lays the plan out.
func (p *FormatPlan) String() string {
	metadata := ""
	if p.After.MetadataSize > 0 {
		metadata = "in a buffer of its own"
		if p.Options.ExtendedLBA {
			metadata = "at the end of each block"
		}
		if p.Options.Protection > 0 {
			metadata += fmt.Sprintf(", protection information type %d", p.Options.Protection)
		}
	}
	return planText(fmt.Sprintf("format namespace %d", p.Options.NSID), "drive", p.target.String(),
		"blocks", fmt.Sprintf("%v -> %v (LBA format %d)", p.Before, p.After, p.Options.Format), "metadata", metadata,
		"erase", p.Options.Erase.String(), "destroys", fmt.Sprintf("all data of nsid %s", joinNSIDs(p.Affected)),
		"in use", strings.Join(p.InUse, "; "))
}

func joinNSIDs(nsids []uint32) string { return strings.Trim(fmt.Sprint(nsids), "[]") }

// Run carries the plan out, and looks at what came of it: it lets the kernel look
// at the namespaces anew, and compares what the drive says of the namespace with
// the plan.
//
// The format is not bound by ctx, as a timeout would let the kernel reset the
// controller in its midst. If ctx is over before it is, Run returns, and the
// format goes on.
func (p *FormatPlan) Run(ctx context.Context) (FormatResult, error) {
	const op = "format namespace"
	r := FormatResult{Before: p.Before}
	// It may be a while since the plan was made.
	if err := checkUsers(op, users(p.c.t, p.Affected), p.o.Consent); err != nil {
		return r, err
	}
	if err := ctx.Err(); err != nil {
		return r, err
	}
	done := make(chan error, 1)
	go func() { done <- p.c.Format(context.WithoutCancel(ctx), p.Options) }()
	if err := p.follow(ctx, done); err != nil {
		return r, fmt.Errorf("nvme: %s %d: %w", op, p.Options.NSID, err)
	}
	if err := p.c.Rescan(ctx); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return r, err
	}
	ns, err := p.c.IdentifyNamespace(ctx, p.Options.NSID)
	if err != nil {
		return r, err
	}
	r.After, r.Blocks = ns.Format(), ns.Size
	if ns.FormatIndex() != p.Options.Format || ns.ProtectionType() != int(p.Options.Protection) ||
		ns.ExtendedLBA() != p.Options.ExtendedLBA {
		return r, fmt.Errorf("nvme: %s %d: %w: LBA format %d (%v), want %d (%v)", op, p.Options.NSID, ErrFormatDiffers,
			ns.FormatIndex(), ns.Format(), p.Options.Format, p.After)
	}
	return r, nil
}

// follow waits for the format, and tells of the percentage that the namespace
// reports meanwhile (FPI).
func (p *FormatPlan) follow(ctx context.Context, done <-chan error) error {
	last := uint64(0)
	p.o.tell("format", 0, 0)
	for {
		select {
		case err := <-done:
			if err == nil {
				p.o.tell("format", 100, 100)
			}
			return err
		default:
		}
		if err := p.o.wait(ctx, 0); err != nil {
			return fmt.Errorf("the format goes on: %w", err)
		}
		ns, err := p.c.IdentifyNamespace(ctx, p.Options.NSID)
		if err != nil {
			continue // a drive may refuse it meanwhile; the format will tell
		}
		if remain, ok := ns.FormatRemaining(); ok && remain > 0 && 100-uint64(remain) > last {
			last = 100 - uint64(remain)
			p.o.tell("format", last, 100)
		}
	}
}
