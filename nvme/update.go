package nvme

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
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

// Run carries the plan out: it downloads the image, commits it, resets as far as
// that is allowed and needed, waits for the controller to be back, and compares
// the firmware slot log. The result says how far it got, also beside an error.
//
// When the context is over in mid-download, nothing has changed: the drive
// forgets what was not committed.
func (p *FirmwareUpdate) Run(ctx context.Context) (UpdateResult, error) {
	r := UpdateResult{Slot: p.Slot, Before: p.Running, After: p.Running}
	if err := p.download(ctx); err != nil {
		return r, err
	}
	if err := p.commit(ctx, &r); err != nil {
		return r, fmt.Errorf("nvme: update firmware: slot %d: %w", p.Slot, err)
	}
	if p.Action == ReplaceFirmware {
		return r, nil
	}
	if err := p.activate(ctx, &r); err != nil {
		return r, fmt.Errorf("nvme: update firmware: slot %d: %w", p.Slot, err)
	}
	p.o.tell("verify", 1, 1)
	return r, nil
}

// download sends the image in its parts. A part whose first try was not answered
// may have arrived: an overlap is then no error.
func (p *FirmwareUpdate) download(ctx context.Context) error {
	for offset := 0; offset < len(p.image); offset += p.PartSize {
		part := p.image[offset:min(len(p.image), offset+p.PartSize)]
		if p.o.Pad && len(part)%max(p.Granularity, 4) != 0 {
			part = append(append([]byte(nil), part...), make([]byte, p.short())...)
		}
		tries := 0
		err := p.o.retry(ctx, p.target.id, func() error {
			tries++
			err := p.c.FirmwareDownload(ctx, int64(offset), part)
			if tries > 1 && errors.Is(err, StatusOverlappingRange) {
				return nil
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("nvme: update firmware: part at offset %d of %d bytes%s: %w", offset, len(p.image), p.why(part, err), err)
		}
		p.o.tell("download", uint64(min(offset+p.PartSize, len(p.image))), uint64(len(p.image)))
	}
	return nil
}

// why explains the refusals that users of other tools puzzle over.
func (p *FirmwareUpdate) why(part []byte, err error) string {
	switch {
	case errors.Is(err, StatusInvalidField) && p.Granularity > 0 && len(part)%p.Granularity != 0:
		return fmt.Sprintf(", %d bytes where the granularity is %d: see Pad", len(part), p.Granularity)
	case errors.Is(err, StatusOverlappingRange):
		return ", perhaps because of another download that was not committed: reset the controller, and try again"
	}
	return ""
}

// commit commits the image. If it would take too long to activate at once, it is
// left to a reset, as NVMe Base 2.0, 5.12.1 has it; a drive may have dropped the
// image with the first commit.
func (p *FirmwareUpdate) commit(ctx context.Context, r *UpdateResult) error {
	p.o.tell("commit", 0, 1)
	send := func() (err error) {
		r.Commit, err = p.c.FirmwareCommit(ctx, FirmwareCommit{Action: p.Action, Slot: uint8(p.Slot)})
		return err
	}
	err := send()
	if p.Action == ActivateNow && errors.Is(err, StatusFirmwareNeedsMaxTime) {
		p.Action = ReplaceAndActivateAtReset
		if err = send(); errors.Is(err, StatusInvalidFirmwareImage) {
			if err := p.download(ctx); err != nil {
				return err
			}
			err = send()
		}
	}
	if err == nil {
		p.o.tell("commit", 1, 1)
	}
	return err
}

// activate does what is left to do after the commit for the image to run.
func (p *FirmwareUpdate) activate(ctx context.Context, r *UpdateResult) error {
	need := r.Commit.Needs
	if need == NoReset && p.Action != ActivateNow {
		need = AnyControllerReset
	}
	if need == NoReset {
		return p.settle(ctx, r, NoReset)
	}
	if p.o.Reset == NoReset {
		r.Pending = need
		return p.look(ctx, r)
	}
	// NB: Drives that ask for a conventional reset are often content with one of
	// the controller; so that is tried first.
	if need != SubsystemReset {
		if err := p.reset(ctx, r, ResetController); err != nil {
			return err
		}
		if err := p.settle(ctx, r, need); err != nil || r.Active {
			return err
		}
	}
	if p.o.Reset == SubsystemReset {
		if err := p.reset(ctx, r, ResetSubsystem); err != nil {
			return err
		}
		return p.settle(ctx, r, NoReset)
	}
	r.Pending = need
	return p.look(ctx, r)
}

func (p *FirmwareUpdate) reset(ctx context.Context, r *UpdateResult, op Operation) error {
	p.o.tell(op.String(), 0, 1)
	if err := p.c.operate(ctx, op); err != nil {
		return err
	}
	r.Resets = append(r.Resets, op)
	p.o.tell(op.String(), 1, 1)
	return nil
}

// settle waits for the drive to run the image, as long as it says that an
// activation takes at most (MTFA), and as a controller may take to be ready. A
// drive that stays with what it runs has failed, unless a stronger reset may
// help.
func (p *FirmwareUpdate) settle(ctx context.Context, r *UpdateResult, need FirmwareReset) error {
	const poll, margin = 200 * time.Millisecond, 10 * time.Second
	within := time.Duration(p.target.id.MaxActivationTime)*100*time.Millisecond + margin
	if need == ConventionalReset {
		within = 0 // either it has done, or it will not
	}
	for waited := time.Duration(0); ; waited += poll {
		if err := p.look(ctx, r); err != nil || r.Active {
			return err
		}
		if waited >= within {
			break
		}
		if err := p.o.wait(ctx, poll); err != nil {
			return err
		}
	}
	if need == ConventionalReset {
		return nil
	}
	return fmt.Errorf("%w: %s runs, %v after the activation", ErrNotActivated, r.After, within)
}

// readyWithin bounds how long a controller may take to be ready: CAP.TO is at
// most 127.5 s.
const readyWithin = 128 * time.Second

// look reads what runs now. The slot log is the drive's; the kernel's
// firmware_rev may be that of yesterday.
func (p *FirmwareUpdate) look(ctx context.Context, r *UpdateResult) error {
	var log *FirmwareSlotLog
	var id *IdentifyController
	err := p.o.untilReady(ctx, readyWithin, func() (err error) {
		if log, err = p.c.FirmwareSlotLog(ctx); err == nil {
			id, err = p.c.Identify(ctx)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.After = id.FirmwareRevision
	// Where the slot was the running one, nothing but the revision tells.
	same := p.Slot == p.RunningSlot && log.Next() != 0
	r.Active = log.Active() == p.Slot && !same &&
		strings.TrimSpace(log.Revision(p.Slot)) == strings.TrimSpace(id.FirmwareRevision)
	return nil
}
