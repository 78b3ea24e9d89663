package nvme

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

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
		// A commit that was not answered leaves it open what the slot holds.
		if p.look(ctx, &r) == nil {
			err = fmt.Errorf("%w (slot %d now has %q, %s runs)", err, p.Slot, r.Stored, r.After)
		}
		return r, fmt.Errorf("nvme: update firmware: slot %d: %w", p.Slot, err)
	}
	if p.Action == ReplaceFirmware {
		return r, p.look(ctx, &r)
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
	r.After, r.Stored = id.FirmwareRevision, log.Revision(p.Slot)
	// Where the slot was the running one, nothing but the revision tells.
	same := p.Slot == p.RunningSlot && log.Next() != 0
	r.Active = log.Active() == p.Slot && !same &&
		strings.TrimSpace(log.Revision(p.Slot)) == strings.TrimSpace(id.FirmwareRevision)
	return nil
}
