package nvme

import "fmt"

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
