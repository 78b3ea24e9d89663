package nvmetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// FirmwareConfig says what is in the firmware slots of a new drive, and what
// updates are like. How many slots there are, and whether the first is read-only,
// is in FRMW.
type FirmwareConfig struct {
	// Slots has the revisions in the slots from 1 on; empty is an empty slot. The
	// first one must not be.
	Slots []string
	// Active is the slot that runs; 0 is the first.
	Active int
	// SlotSize is how large an image may be, in bytes; 0 is 16 MiB.
	SlotSize int
	// ActivationTime is how long an activation without reset takes, during which
	// the controller takes no commands; it should be within MTFA.
	ActivationTime time.Duration
	// ShortLast lets the last part of an image be off FWUG's granularity.
	ShortLast bool
	// BootPartition has one, which commit actions 6 and 7 are for.
	BootPartition bool
}

func (f *FirmwareConfig) complete(slots int) error {
	if f.Active == 0 {
		f.Active = 1
	}
	if f.SlotSize == 0 {
		f.SlotSize = 16 << 20
	}
	switch {
	case len(f.Slots) > slots:
		return fmt.Errorf("firmware in %d slots, but FRMW has %d", len(f.Slots), slots)
	case f.Active < 1 || f.Active > len(f.Slots) || f.Slots[f.Active-1] == "":
		return fmt.Errorf("active firmware slot %d is empty", f.Active)
	}
	for i, revision := range f.Slots {
		if len(revision) > 8 {
			return fmt.Errorf("firmware revision %q in slot %d, want at most 8 characters", revision, i+1)
		}
	}
	return nil
}

// firmwareStore holds the slots, and the image that is being downloaded.
type firmwareStore struct {
	slots   []Firmware // index is slot-1; no Revision is an empty slot
	active  int        // 1-based
	next    int        // slot that will run after a reset; 0 is none
	present Firmware   // what runs: the slot may have been replaced since
	proven  int        // the slot that ran last and got ready
	boot    []byte     // the boot partition

	staged  []byte
	parts   []span // what of it there is
	overlap bool
	by      uint16 // the controller that it came through
	mixed   bool   // it came through more than one
}

// span is a range of bytes.
type span struct{ from, to int }

func (s *firmwareStore) init(d *Drive) {
	s.slots = make([]Firmware, d.profile.Controller.FirmwareUpdates.Slots())
	for i, revision := range d.profile.Firmware.Slots {
		s.slots[i].Revision = revision
	}
	s.active = d.profile.Firmware.Active
	s.present, s.proven = s.slots[s.active-1], s.active
}

func (s *firmwareStore) running() string { return s.present.Revision }

func (s *firmwareStore) log() *nvme.FirmwareSlotLog {
	log := &nvme.FirmwareSlotLog{ActiveInfo: uint8(s.active | s.next<<4)}
	for i, f := range s.slots {
		log.Revisions[i] = f.Revision
	}
	return log
}

// firmwareDownload carries out a Firmware Image Download: NVMe Base 2.0, 5.13.
func firmwareDownload(r *request) nvme.Status {
	d := r.c.drive
	s := &d.firmware
	length, offset := (uint64(r.cmd.CDW10)+1)*4, uint64(r.cmd.CDW11)*4
	if uint64(len(r.cmd.Data)) != length {
		return invalidLength
	}
	if g := uint64(d.profile.Controller.FirmwareUpdateGranularity()); g != 0 {
		if offset%g != 0 {
			return r.invalid(11, 0)
		}
		if length%g != 0 && !d.profile.Firmware.ShortLast {
			return r.invalid(10, 0)
		}
	}
	if offset+length > uint64(d.profile.Firmware.SlotSize) {
		return r.invalid(11, 0)
	}
	part := span{int(offset), int(offset + length)}
	if slices.ContainsFunc(s.parts, func(p span) bool { return p.from < part.to && part.from < p.to }) {
		s.overlap = true
		if d.profile.Controller.FirmwareUpdates.DetectsOverlap() {
			return nvme.StatusOverlappingRange.WithDNR()
		}
	}
	s.mixed = s.mixed || s.by != 0 && s.by != r.c.id
	s.by = r.c.id
	if part.to > len(s.staged) {
		s.staged = append(s.staged, make([]byte, part.to-len(s.staged))...)
	}
	copy(s.staged[part.from:], r.cmd.Data)
	s.parts = append(s.parts, part)
	return success
}

// peek returns the image that was downloaded. It is nil if there is none, or a
// part is missing.
func (s *firmwareStore) peek() []byte {
	slices.SortFunc(s.parts, func(a, b span) int { return a.from - b.from })
	end := 0
	for _, p := range s.parts {
		if p.from > end {
			end = -1
			break
		}
		end = max(end, p.to)
	}
	if end != len(s.staged) {
		return nil
	}
	return s.staged
}

// discard forgets what was downloaded.
func (s *firmwareStore) discard() {
	s.staged, s.parts, s.overlap, s.by, s.mixed = nil, nil, false, 0, false
}

// firmwareCommit carries out a Firmware Commit: NVMe Base 2.0, 5.12.
func firmwareCommit(r *request) nvme.Status {
	d := r.c.drive
	s := &d.firmware
	if st := r.transfer(0); st != success {
		return st
	}
	slot, action := int(r.cmd.CDW10&7), nvme.FirmwareCommitAction(r.cmd.CDW10>>3&7)
	before := s.running()
	if (s.mixed || s.overlap) && d.profile.Controller.FirmwareUpdates.DetectsOverlap() {
		r.result = 1 // MUD, which is for drives with SMUD
	}
	status := s.commit(r, slot, action)
	d.persistent.add(d, r.c.id, nvme.EventFirmwareCommit, &nvme.FirmwareCommitEvent{
		OldRevision: before, NewRevision: s.revision(slot), Action: action, Slot: uint8(slot),
		StatusType: uint8(status.SCT()), StatusCode: status.SC(),
	})
	return status
}

func (s *firmwareStore) revision(slot int) string {
	if slot < 1 || slot > len(s.slots) {
		return s.running()
	}
	return s.slots[slot-1].Revision
}

func (s *firmwareStore) commit(r *request, slot int, action nvme.FirmwareCommitAction) nvme.Status {
	d := r.c.drive
	frmw := d.profile.Controller.FirmwareUpdates
	switch action {
	case nvme.ReplaceFirmware, nvme.ReplaceAndActivateAtReset, nvme.ActivateAtReset, nvme.ActivateNow:
	case nvme.ReplaceBootPartition, nvme.ActivateBootPartition:
		return s.commitBoot(r, action)
	default:
		return r.invalid(10, 3)
	}
	if r.cmd.CDW10&(1<<31) != 0 { // BPID is for boot partitions
		return r.invalid(10, 31)
	}
	if action == nvme.ActivateNow && !frmw.ActivateWithoutReset() {
		return r.invalid(10, 3)
	}
	replace := action <= nvme.ReplaceAndActivateAtReset || action == nvme.ActivateNow && len(s.parts) > 0
	if slot == 0 && replace {
		slot = s.choose(frmw.Slot1ReadOnly())
	}
	if slot < 1 || slot > len(s.slots) || replace && slot == 1 && frmw.Slot1ReadOnly() {
		return r.locate(byteCDW10, 0, nvme.StatusInvalidFirmwareSlot.WithDNR())
	}
	f := s.slots[slot-1]
	if replace {
		overlap := s.overlap
		image, ok := parseFirmware(s.peek())
		if !(ok && action == nvme.ActivateNow && image.Activation == TakesTooLong) {
			s.discard() // or else the host commits it again with another action
		}
		switch {
		case overlap && !frmw.DetectsOverlap():
			return nvme.StatusOverlappingRange.WithDNR()
		case !ok:
			return nvme.StatusInvalidFirmwareImage.WithDNR()
		case image.Activation == Prohibited:
			return nvme.StatusFirmwareProhibited.WithDNR()
		}
		f = image
	} else if f.Revision == "" {
		return r.locate(byteCDW10, 0, nvme.StatusInvalidFirmwareSlot.WithDNR())
	}
	if action == nvme.ActivateNow && f.Activation == TakesTooLong {
		return nvme.StatusFirmwareNeedsMaxTime.WithDNR()
	}
	s.slots[slot-1] = f
	switch action {
	case nvme.ReplaceFirmware:
		return success
	case nvme.ActivateNow:
		return s.activateNow(r, slot, f)
	}
	s.next = slot
	return f.Activation.status(false)
}

// status is what a commit says of an image that is not activated at once.
func (a Activation) status(now bool) nvme.Status {
	switch a {
	case ByConventionalReset:
		return nvme.StatusFirmwareNeedsReset
	case BySubsystemReset:
		return nvme.StatusFirmwareNeedsSubsystemReset
	case ByControllerReset:
		if now {
			return nvme.StatusFirmwareNeedsControllerReset
		}
	}
	return success
}

// choose returns the slot for a commit that leaves the choice to the drive: an
// empty one, or else one that does not run.
func (s *firmwareStore) choose(slot1ReadOnly bool) int {
	best := 0
	for slot := len(s.slots); slot >= 1; slot-- {
		if slot == 1 && slot1ReadOnly {
			continue
		}
		if best == 0 || best == s.active || s.slots[slot-1].Revision == "" && slot != s.active {
			best = slot
		}
	}
	return best
}

// activateNow activates a slot without a reset, if its image can be. The
// controller takes no commands meanwhile.
func (s *firmwareStore) activateNow(r *request, slot int, f Firmware) nvme.Status {
	d := r.c.drive
	if status := f.Activation.status(true); status != success {
		s.next = slot
		return status
	}
	if f.Activation == FailsToLoad {
		d.notify(EventImageLoadError)
		return nvme.StatusInvalidFirmwareImage.WithDNR()
	}
	until := d.now + d.profile.Firmware.ActivationTime
	if until == d.now {
		s.run(d, slot)
		return success
	}
	d.notify(EventFirmwareStarting)
	for _, c := range d.controllers {
		c.readyAt = max(c.readyAt, until)
	}
	d.at(until, func() { s.run(d, slot) })
	return success
}

// run lets a slot's firmware run.
func (s *firmwareStore) run(d *Drive, slot int) {
	s.active, s.next, s.present = slot, 0, s.slots[slot-1]
	if s.present.Activation != NeverReady {
		s.proven = slot
		return
	}
	for _, c := range d.controllers {
		c.readyAt = Never
	}
}

// reset activates what waits for a reset of this kind, and forgets what was
// downloaded and not committed.
func (s *firmwareStore) reset(d *Drive, kind Reset) {
	s.discard()
	if s.next == 0 {
		switch {
		case kind == PowerCycle && s.present.Activation == NeverReady:
			s.run(d, s.proven)
		case kind == PowerCycle || s.present.Activation == NeverReady:
			s.run(d, s.active) // of a slot that was replaced, or again in vain
		}
		return
	}
	f := s.slots[s.next-1]
	switch {
	case f.Activation == ByConventionalReset && kind < ConventionalReset,
		f.Activation == BySubsystemReset && kind < SubsystemReset:
		return
	case f.Activation == FailsToLoad:
		s.next = 0
		d.notify(EventImageLoadError)
		return
	}
	d.happened(0, "firmware %s in slot %d activated", f.Revision, s.next)
	s.run(d, s.next)
}

// pending returns the status for commands that an activation forbids which
// waits for a reset.
func (s *firmwareStore) pending() nvme.Status {
	if s.next == 0 {
		return success
	}
	if status := s.slots[s.next-1].Activation.status(true); status != success {
		return status
	}
	return nvme.StatusFirmwareNeedsControllerReset
}

// commitBoot carries out the commit actions on boot partitions.
func (s *firmwareStore) commitBoot(r *request, action nvme.FirmwareCommitAction) nvme.Status {
	if !r.c.drive.profile.Firmware.BootPartition {
		return r.invalid(10, 3)
	}
	if action == nvme.ReplaceBootPartition {
		image := s.peek()
		s.discard()
		if image == nil {
			return nvme.StatusInvalidFirmwareImage.WithDNR()
		}
		s.boot = image
	}
	return success
}
