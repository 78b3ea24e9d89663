package nvme

import (
	"fmt"
	"strings"
)

// flagText joins the names of the bits that v has set; names[i] is bit i's.
// Bits without a name are shown as a number.
func flagText(v uint64, names ...string) string {
	var set []string
	for i, name := range names {
		if name != "" && v&(1<<i) != 0 {
			set = append(set, name)
			v &^= 1 << i
		}
	}
	if v != 0 || len(set) == 0 {
		set = append(set, fmt.Sprintf("%#x", v))
	}
	return strings.Join(set, "|")
}

// AdminCommands are the optional admin commands that a controller supports
// (OACS).
type AdminCommands uint16

// Bits of AdminCommands.
const (
	SupportsSecurity             AdminCommands = 1 << iota // Security Send and Receive
	SupportsFormat                                         // Format NVM
	SupportsFirmware                                       // Firmware Commit and Image Download
	SupportsNamespaceManagement                            // Namespace Management and Attachment
	SupportsSelfTest                                       // Device Self-test
	SupportsDirectives                                     // Directive Send and Receive
	SupportsMI                                             // NVMe-MI Send and Receive
	SupportsVirtualization                                 // Virtualization Management
	SupportsDoorbellBufferConfig                           // Doorbell Buffer Config
	SupportsGetLBAStatus                                   // Get LBA Status
	SupportsLockdown                                       // Lockdown
)

// String names the bits.
func (c AdminCommands) String() string {
	return flagText(uint64(c), "security", "format", "firmware", "namespace-management", "self-test",
		"directives", "nvme-mi", "virtualization", "doorbell-buffer-config", "get-lba-status", "lockdown")
}

// NVMCommands are the optional NVM commands that a controller supports (ONCS).
type NVMCommands uint16

// Bits of NVMCommands.
const (
	SupportsCompare            NVMCommands = 1 << iota // Compare
	SupportsWriteUncorrectable                         // Write Uncorrectable
	SupportsDatasetManagement                          // Dataset Management
	SupportsWriteZeroes                                // Write Zeroes
	SupportsFeatureSave                                // Save of Set Features, Select of Get Features
	SupportsReservations                               // reservations
	SupportsTimestamp                                  // the Timestamp feature
	SupportsVerify                                     // Verify
	SupportsCopy                                       // Copy
)

// String names the bits.
func (c NVMCommands) String() string {
	return flagText(uint64(c), "compare", "write-uncorrectable", "dataset-management", "write-zeroes",
		"feature-save", "reservations", "timestamp", "verify", "copy")
}

// ControllerAttributes are what a controller can do beyond commands (CTRATT).
type ControllerAttributes uint32

// Bits of ControllerAttributes.
const (
	HostID128                ControllerAttributes = 1 << iota // 128-bit host identifier
	NonOperationalPermissive                                  // non-operational power state permissive mode
	NVMSets                                                   // NVM sets
	ReadRecoveryLevels                                        // read recovery levels
	EnduranceGroups                                           // endurance groups
	PredictableLatency                                        // predictable latency mode
	TrafficBasedKeepAlive                                     // traffic based keep alive
	NamespaceGranularity                                      // namespace granularity
	SQAssociations                                            // submission queue associations
	UUIDListSupport                                           // UUID list
	MultiDomain                                               // multi-domain subsystem
	FixedCapacity                                             // fixed capacity management
	VariableCapacity                                          // variable capacity management
	DeleteEnduranceGroup                                      // delete endurance group
	DeleteNVMSet                                              // delete NVM set
	ExtendedLBAFormats                                        // more than 16 LBA formats
)

// String names the bits.
func (a ControllerAttributes) String() string {
	return flagText(uint64(a), "host-id-128", "non-operational-permissive", "nvm-sets", "read-recovery-levels",
		"endurance-groups", "predictable-latency", "traffic-based-keep-alive", "namespace-granularity",
		"sq-associations", "uuid-list", "multi-domain", "fixed-capacity", "variable-capacity",
		"delete-endurance-group", "delete-nvm-set", "extended-lba-formats")
}

// LogPageAttributes say what Get Log Page can do (LPA).
type LogPageAttributes uint8

// Bits of LogPageAttributes.
const (
	SMARTPerNamespace      LogPageAttributes = 1 << iota // SMART log for each namespace
	SupportsEffectsLog                                   // Commands Supported and Effects
	SupportsExtendedData                                 // 32-bit number of dwords, and offsets
	SupportsTelemetry                                    // telemetry logs
	SupportsPersistentLog                                // persistent event log
	SupportsLogDiscovery                                 // Supported Log Pages, Feature Identifiers, and their like
	SupportsTelemetryArea4                               // data area 4 of telemetry logs
)

// String names the bits.
func (a LogPageAttributes) String() string {
	return flagText(uint64(a), "smart-per-namespace", "effects", "extended-data", "telemetry",
		"persistent-events", "log-discovery", "telemetry-area-4")
}

// FirmwareUpdates say how firmware is kept and updated (FRMW).
type FirmwareUpdates uint8

// Slot1ReadOnly reports whether slot 1 cannot be written to.
func (f FirmwareUpdates) Slot1ReadOnly() bool { return f&1 != 0 }

// Slots returns the number of slots: 1 to 7 on a drive that keeps to the
// specification.
func (f FirmwareUpdates) Slots() int { return int(f >> 1 & 7) }

// ActivateWithoutReset reports whether a commit may activate at once.
func (f FirmwareUpdates) ActivateWithoutReset() bool { return f&(1<<4) != 0 }

// DetectsOverlap reports whether a download that overlaps is answered with
// StatusOverlappingRange (SMUD, Base 2.0).
func (f FirmwareUpdates) DetectsOverlap() bool { return f&(1<<5) != 0 }

// String lists what the field says.
func (f FirmwareUpdates) String() string {
	s := fmt.Sprintf("%d slots", f.Slots())
	if f.Slot1ReadOnly() {
		s += ", slot 1 read-only"
	}
	if f.ActivateWithoutReset() {
		s += ", activation without reset"
	}
	if f.DetectsOverlap() {
		s += ", overlap detected"
	}
	return s
}

// FormatAttributes say what Format NVM reaches (FNA).
type FormatAttributes uint8

// Bits of FormatAttributes.
const (
	FormatAllNamespaces FormatAttributes = 1 << iota // a format changes all namespaces
	EraseAllNamespaces                               // a secure erase erases all namespaces
	CryptoErase                                      // cryptographic erase is supported
	NoBroadcastFormat                                // the broadcast NSID is not supported
)

// String names the bits.
func (a FormatAttributes) String() string {
	return flagText(uint64(a), "format-all", "erase-all", "crypto-erase", "no-broadcast")
}

// SanitizeCapabilities say what Sanitize can do (SANICAP).
type SanitizeCapabilities uint32

// Bits of SanitizeCapabilities.
const (
	SupportsCryptoErase SanitizeCapabilities = 1 << 0  // crypto erase
	SupportsBlockErase  SanitizeCapabilities = 1 << 1  // block erase
	SupportsOverwrite   SanitizeCapabilities = 1 << 2  // overwrite
	NoDeallocInhibited  SanitizeCapabilities = 1 << 29 // NDI: No-Deallocate After Sanitize is refused or ignored
)

// String names the bits.
func (c SanitizeCapabilities) String() string {
	text := flagText(uint64(c&0x3fffffff&^NoDeallocInhibited), "crypto-erase", "block-erase", "overwrite")
	if c&NoDeallocInhibited != 0 {
		text += "|no-dealloc-inhibited"
	}
	switch c.NoDeallocModifies() {
	case 1:
		text += "|no-dealloc-leaves-media"
	case 2:
		text += "|no-dealloc-modifies-media"
	}
	return text
}

// NoDeallocModifies returns NODMMAS, bits 31:30: whether media is modified
// after a sanitize with No-Deallocate. 0 is undefined, 1 no, 2 yes.
func (c SanitizeCapabilities) NoDeallocModifies() uint8 { return uint8(c >> 30) }

// Temperature is in kelvins, as on the wire.
type Temperature uint16

// Celsius returns degrees Celsius; the specification takes 0 °C for 273 K.
func (t Temperature) Celsius() int { return int(t) - 273 }

// String returns a form such as "42 °C".
func (t Temperature) String() string { return fmt.Sprintf("%d °C", t.Celsius()) }
