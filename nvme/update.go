package nvme

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// FirmwareActivation is when new firmware is to run.
type FirmwareActivation uint8

// Firmware activations.
const (
	// ActivateWithReset: at the next reset of the kind that the drive asks for.
	ActivateWithReset FirmwareActivation = iota
	// ActivateWithoutReset: at once, without a reset. Where the drive or the
	// image needs one after all, it is as if by ActivateWithReset.
	ActivateWithoutReset
	// StoreOnly: the slot is replaced, and what runs stays.
	StoreOnly
)

// String names the activation.
func (a FirmwareActivation) String() string {
	switch a {
	case ActivateWithReset:
		return "at reset"
	case ActivateWithoutReset:
		return "without reset"
	case StoreOnly:
		return "not activated"
	}
	return fmt.Sprintf("activation %d", uint8(a))
}

// UpdateOptions say how to update firmware. All but Serial may be zero.
type UpdateOptions struct {
	Consent
	Follow

	// Slot is where the image goes: 1 to 7. 0 is the best: an empty slot, or else
	// one that does not run, or else the one that does; never a read-only one.
	Slot int
	// Activation is when the image is to run.
	Activation FirmwareActivation
	// Reset is the strongest reset that may be done for the activation:
	// AnyControllerReset or SubsystemReset. By NoReset none is, and the result
	// says which one is still to come.
	Reset FirmwareReset
	// PartSize is how many bytes to send at a time. 0 is the drive's granularity
	// (FWUG), or else 4096: every drive takes that.
	PartSize int
	// Pad fills the last part of the image up to the granularity, with zeros. By
	// default it is sent short, which strict drives refuse.
	Pad bool
}

// FirmwareUpdate is the plan of a firmware update. [PlanUpdate] makes one, Run
// carries it out.
type FirmwareUpdate struct {
	Slot        int
	Replaces    string // the revision in the slot, or ""
	Running     string // the revision that runs
	RunningSlot int
	Action      FirmwareCommitAction
	PartSize    int // bytes
	Granularity int // bytes; 0 is not known
	Parts       int

	target target
	c      *Controller
	image  []byte
	o      UpdateOptions
}

// UpdateResult is what became of a firmware update.
type UpdateResult struct {
	Slot   int
	Before string // the revision that ran
	After  string // the revision that runs
	Stored string // the revision in the slot, as far as is known
	Active bool   // the image runs
	// Pending is the reset that is still needed for it to run.
	Pending FirmwareReset
	// Commit is the drive's answer to the firmware commit.
	Commit FirmwareCommitResult
	// Resets are those that were done.
	Resets []Operation
}

// String says what happened in one line.
func (r UpdateResult) String() string {
	switch {
	case r.Active:
		return fmt.Sprintf("firmware %s runs from slot %d, before it was %s", r.After, r.Slot, r.Before)
	case r.Pending != NoReset:
		return fmt.Sprintf("slot %d awaits a %v, until then firmware %s runs", r.Slot, r.Pending, r.After)
	}
	return fmt.Sprintf("slot %d is replaced, firmware %s runs", r.Slot, r.Before)
}

// UpdateFirmware plans a firmware update and carries it out; see [PlanUpdate] and
// [FirmwareUpdate.Run].
func UpdateFirmware(ctx context.Context, c *Controller, image []byte, o UpdateOptions) (UpdateResult, error) {
	p, err := PlanUpdate(ctx, c, image, o)
	if err != nil {
		return UpdateResult{}, err
	}
	return p.Run(ctx)
}

// PlanUpdate checks an image and the options against what the drive says of
// itself, and changes nothing. The image stays the caller's, and must not change
// until Run is done.
func PlanUpdate(ctx context.Context, c *Controller, image []byte, o UpdateOptions) (*FirmwareUpdate, error) {
	const op = "update firmware"
	switch {
	case len(image) == 0 || len(image)%4 != 0:
		return nil, &ArgumentError{op, "length of the image", len(image), "whole dwords: a multiple of 4, not 0"}
	case uint64(len(image))/4 > math.MaxUint32:
		return nil, &ArgumentError{op, "length of the image", len(image), "at most 16 GiB"}
	case o.Activation > StoreOnly:
		return nil, &ArgumentError{op, "Activation", o.Activation, "one of the constants"}
	case o.Reset != NoReset && o.Reset != AnyControllerReset && o.Reset != SubsystemReset:
		return nil, &ArgumentError{op, "Reset", o.Reset, "NoReset, AnyControllerReset or SubsystemReset"}
	}
	t, err := identifyTarget(ctx, c, op, o.Consent)
	if err != nil {
		return nil, err
	}
	if t.id.AdminCommands&SupportsFirmware == 0 {
		return nil, fmt.Errorf("nvme: %s: not among the drive's commands (%v): %w", op, t.id.AdminCommands, errors.ErrUnsupported)
	}
	log, err := c.FirmwareSlotLog(ctx)
	if err != nil {
		return nil, err
	}
	p := &FirmwareUpdate{
		Running: t.id.FirmwareRevision, RunningSlot: log.Active(), target: t, c: c, image: image, o: o,
		Granularity: int(t.id.FirmwareUpdateGranularity()),
	}
	if p.Slot, err = chooseSlot(op, t.id.FirmwareUpdates, log, o.Slot); err != nil {
		return nil, err
	}
	p.Replaces = log.Revision(p.Slot)
	p.Action = map[FirmwareActivation]FirmwareCommitAction{ActivateWithReset: ReplaceAndActivateAtReset,
		ActivateWithoutReset: ActivateNow, StoreOnly: ReplaceFirmware}[o.Activation]
	if p.Action == ActivateNow && !t.id.FirmwareUpdates.ActivateWithoutReset() {
		p.Action = ReplaceAndActivateAtReset
	}
	return p, p.split(op)
}

// chooseSlot checks the slot asked for, or chooses one.
func chooseSlot(op string, frmw FirmwareUpdates, log *FirmwareSlotLog, slot int) (int, error) {
	first := 1
	if frmw.Slot1ReadOnly() {
		first = 2
	}
	if frmw.Slots() < first {
		return 0, fmt.Errorf("nvme: %s: no slot can be written to (%v): %w", op, frmw, errors.ErrUnsupported)
	}
	if slot != 0 {
		if slot < first || slot > frmw.Slots() {
			return 0, &ArgumentError{op, "Slot", slot, fmt.Sprintf("%d to %d: the drive has %v", first, frmw.Slots(), frmw)}
		}
		return slot, nil
	}
	best, rank := 0, -1
	for slot := first; slot <= frmw.Slots(); slot++ {
		r := 0
		switch {
		case slot == log.Active():
		case slot == log.Next():
			r = 1
		case log.Revision(slot) != "":
			r = 2
		default:
			r = 3
		}
		if r > rank {
			best, rank = slot, r
		}
	}
	return best, nil
}

// split decides on the parts of the image.
func (p *FirmwareUpdate) split(op string) error {
	limit := p.target.id.MaxTransfer(assumedPageSize)
	unit := max(p.Granularity, 4)
	p.PartSize = p.o.PartSize
	if p.PartSize == 0 {
		if p.PartSize = p.Granularity; p.PartSize == 0 {
			p.PartSize = assumedPageSize
		}
	}
	switch {
	case p.PartSize < 0 || p.PartSize%unit != 0:
		return &ArgumentError{op, "PartSize", p.PartSize, fmt.Sprintf("a multiple of %d bytes", unit)}
	case limit > 0 && uint64(p.PartSize) > limit:
		return &ArgumentError{op, "PartSize", p.PartSize, fmt.Sprintf("at most %d bytes (MDTS)", limit)}
	}
	p.Parts = (len(p.image) + p.PartSize - 1) / p.PartSize
	return nil
}

// String lays the plan out.
func (p *FirmwareUpdate) String() string {
	image := fmt.Sprintf("%d bytes in %d parts of %d", len(p.image), p.Parts, p.PartSize)
	if short := p.short(); short > 0 {
		image += fmt.Sprintf("; the last is short by %d bytes of the granularity", short)
		if p.o.Pad {
			image += ", and padded"
		}
	}
	slot := fmt.Sprintf("%d, which is empty", p.Slot)
	if p.Replaces != "" {
		slot = fmt.Sprintf("%d, which has %s", p.Slot, p.Replaces)
	}
	if p.Slot == p.RunningSlot {
		slot += " and runs"
	}
	reset := p.o.Reset.String()
	if p.o.Reset == NoReset && p.Action != ReplaceFirmware && p.Action != ActivateNow {
		reset = "none; it is left to you"
	}
	return planText("update firmware", "drive", p.target.String(), "image", image, "slot", slot,
		"commit", p.Action.String(), "reset", reset)
}

// short returns by how many bytes the last part misses the granularity.
func (p *FirmwareUpdate) short() int {
	if p.Granularity == 0 || len(p.image)%p.Granularity == 0 {
		return 0
	}
	return p.Granularity - len(p.image)%p.Granularity
}
