package nvme

import (
	"context"
	"fmt"
	"math"
	"time"
)

// FirmwareCommitAction is what a Firmware Commit does: NVMe Base 2.0, 5.12.
type FirmwareCommitAction uint8

// Firmware commit actions.
const (
	// ReplaceFirmware puts the image downloaded into the slot, and does not
	// activate it.
	ReplaceFirmware FirmwareCommitAction = 0
	// ReplaceAndActivateAtReset puts the image into the slot, to be activated at
	// the next controller level reset.
	ReplaceAndActivateAtReset FirmwareCommitAction = 1
	// ActivateAtReset activates what is in the slot at the next controller
	// level reset.
	ActivateAtReset FirmwareCommitAction = 2
	// ActivateNow activates what was downloaded, or else what is in the slot,
	// without a reset.
	ActivateNow FirmwareCommitAction = 3
	// ReplaceBootPartition puts the image into the boot partition.
	ReplaceBootPartition FirmwareCommitAction = 6
	// ActivateBootPartition marks the boot partition as active.
	ActivateBootPartition FirmwareCommitAction = 7
)

// String says what the action does.
func (a FirmwareCommitAction) String() string {
	switch a {
	case ReplaceFirmware:
		return "replace"
	case ReplaceAndActivateAtReset:
		return "replace, activate at reset"
	case ActivateAtReset:
		return "activate at reset"
	case ActivateNow:
		return "activate now"
	case ReplaceBootPartition:
		return "replace boot partition"
	case ActivateBootPartition:
		return "activate boot partition"
	}
	return fmt.Sprintf("firmware commit action %d", uint8(a))
}

// FirmwareDownload sends a part of a firmware image to the drive: NVMe Base
// 2.0, 5.13. offset is in bytes from the image's start; both it and the length
// of data are whole dwords and should be multiples of Identify's
// FirmwareUpdateGranularity. data is at most MDTS.
func (c *Controller) FirmwareDownload(ctx context.Context, offset int64, data []byte) error {
	const op = "firmware image download"
	if err := checkDwords(op, data); err != nil {
		return err
	}
	if offset < 0 || offset%4 != 0 || offset/4 > math.MaxUint32 {
		return &ArgumentError{op, "offset", offset, "a multiple of 4 from 0 to 16 GiB"}
	}
	if err := c.checkTransfer(ctx, op, len(data)); err != nil {
		return err
	}
	_, err := c.Do(ctx, Command{
		Opcode: AdminFirmwareDownload, CDW10: uint32(len(data)/4 - 1), CDW11: uint32(offset / 4),
		Data: data, Timeout: firmwareTimeout,
	})
	return err
}

// firmwareTimeout bounds firmware commands where the context does not. Erasing
// a slot takes long on some drives.
const firmwareTimeout = 10 * time.Minute

// FirmwareCommit are the parameters of Firmware Commit: NVMe Base 2.0, 5.12.
type FirmwareCommit struct {
	Action FirmwareCommitAction
	// Slot is 1 to 7. 0 lets the drive choose, where the action replaces.
	Slot uint8
	// BootPartition is 0 or 1, for the actions on boot partitions.
	BootPartition uint8
}

// FirmwareReset is which reset makes a drive run the firmware that was
// committed. More than one may do.
type FirmwareReset uint8

// Resets that activate firmware.
const (
	// NoReset: what the action says is done, be it that the firmware runs.
	NoReset FirmwareReset = iota
	// AnyControllerReset: a controller level reset of whatever kind (111h), such
	// as [Controller.Reset].
	AnyControllerReset
	// ConventionalReset: a PCI conventional reset or a power cycle (10Bh). A
	// controller reset does on some drives that say so.
	ConventionalReset
	// SubsystemReset: an NVM subsystem reset or a power cycle (110h).
	SubsystemReset
)

// String names the reset.
func (r FirmwareReset) String() string {
	switch r {
	case NoReset:
		return "no reset"
	case AnyControllerReset:
		return "controller level reset"
	case ConventionalReset:
		return "conventional reset"
	case SubsystemReset:
		return "NVM subsystem reset"
	}
	return fmt.Sprintf("reset %d", uint8(r))
}

// FirmwareCommitResult is what came of a Firmware Commit that has succeeded.
type FirmwareCommitResult struct {
	// Status is the drive's: success, or one of the three that say that the
	// commit has succeeded and a reset has to follow.
	Status Status
	// Needs is the reset that Status asks for. NB: an action that activates at
	// reset needs one even if it is NoReset.
	Needs FirmwareReset
	// Overlap says that the image was downloaded in parts that overlap, or by
	// more than one host (MUD).
	Overlap bool
}

// FirmwareCommit puts the firmware image that was downloaded into a slot, or
// activates one. The statuses 10Bh, 110h and 111h, firmware activation requires
// a reset, are results; every other that is not success is an error.
func (c *Controller) FirmwareCommit(ctx context.Context, f FirmwareCommit) (FirmwareCommitResult, error) {
	const op = "firmware commit"
	switch {
	case f.Action > ActivateBootPartition || f.Action == 4 || f.Action == 5:
		return FirmwareCommitResult{}, &ArgumentError{op, "Action", f.Action, "one of the constants"}
	case f.Slot > 7:
		return FirmwareCommitResult{}, &ArgumentError{op, "Slot", f.Slot, "1 to 7, or 0 for the drive's choice"}
	case f.Slot == 0 && f.Action == ActivateAtReset:
		return FirmwareCommitResult{}, &ArgumentError{op, "Slot", f.Slot, "1 to 7: the slot to activate"}
	case f.BootPartition > 1:
		return FirmwareCommitResult{}, &ArgumentError{op, "BootPartition", f.BootPartition, "0 or 1"}
	}
	done, err := c.t.Submit(ctx, Command{
		Opcode: AdminFirmwareCommit, Timeout: firmwareTimeout,
		CDW10: uint32(f.Slot) | uint32(f.Action)<<3 | uint32(f.BootPartition)<<31,
	})
	if err != nil {
		return FirmwareCommitResult{}, err
	}
	r := FirmwareCommitResult{Status: done.Status, Overlap: done.Result&1 != 0}
	switch done.Status.Code() {
	case StatusSuccess:
	case StatusFirmwareNeedsReset:
		r.Needs = ConventionalReset
	case StatusFirmwareNeedsSubsystemReset:
		r.Needs = SubsystemReset
	case StatusFirmwareNeedsControllerReset:
		r.Needs = AnyControllerReset
	default:
		cmd := Command{Opcode: AdminFirmwareCommit}
		return r, newCommandError(&cmd, done)
	}
	c.forget()
	return r, nil
}
