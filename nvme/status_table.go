package nvme

// Status codes, as SCT and SC together. A firmware commit that answers with
// FirmwareNeedsReset, FirmwareNeedsSubsystemReset or
// FirmwareNeedsControllerReset has succeeded; see [FirmwareCommitResult].
const (
	// Generic: NVMe Base 2.0, 3.3.3.2.1.1; 80h and above: NVM Command Set 1.0,
	// 3.1.

	StatusSuccess                  Status = 0x000
	StatusInvalidOpcode            Status = 0x001
	StatusInvalidField             Status = 0x002
	StatusCommandIDConflict        Status = 0x003
	StatusDataTransferError        Status = 0x004
	StatusPowerLoss                Status = 0x005
	StatusInternalError            Status = 0x006
	StatusAbortRequested           Status = 0x007
	StatusAbortedSQDeletion        Status = 0x008
	StatusFusedFailed              Status = 0x009
	StatusFusedMissing             Status = 0x00a
	StatusInvalidNamespace         Status = 0x00b
	StatusSequenceError            Status = 0x00c
	StatusInvalidSGLSegment        Status = 0x00d
	StatusInvalidSGLCount          Status = 0x00e
	StatusInvalidSGLDataLength     Status = 0x00f
	StatusInvalidSGLMetadataLength Status = 0x010
	StatusInvalidSGLType           Status = 0x011
	StatusInvalidCMBUse            Status = 0x012
	StatusInvalidPRPOffset         Status = 0x013
	StatusAtomicWriteUnitExceeded  Status = 0x014
	StatusOperationDenied          Status = 0x015
	StatusInvalidSGLOffset         Status = 0x016
	StatusHostIDFormat             Status = 0x018
	StatusKeepAliveExpired         Status = 0x019
	StatusInvalidKeepAlive         Status = 0x01a
	StatusAbortedPreempt           Status = 0x01b
	StatusSanitizeFailed           Status = 0x01c
	StatusSanitizeInProgress       Status = 0x01d
	StatusInvalidSGLGranularity    Status = 0x01e
	StatusNotSupportedInCMB        Status = 0x01f
	StatusWriteProtected           Status = 0x020
	StatusInterrupted              Status = 0x021
	StatusTransientTransport       Status = 0x022
	StatusProhibitedByLockdown     Status = 0x023
	StatusMediaNotReady            Status = 0x024
	StatusLBAOutOfRange            Status = 0x080
	StatusCapacityExceeded         Status = 0x081
	StatusNamespaceNotReady        Status = 0x082
	StatusReservationConflict      Status = 0x083
	StatusFormatInProgress         Status = 0x084

	// Command specific: NVMe Base 2.0, 3.3.3.2.1.2.

	StatusInvalidCQ                    Status = 0x100
	StatusInvalidQueueID               Status = 0x101
	StatusInvalidQueueSize             Status = 0x102
	StatusAbortLimit                   Status = 0x103
	StatusAsyncEventLimit              Status = 0x105
	StatusInvalidFirmwareSlot          Status = 0x106
	StatusInvalidFirmwareImage         Status = 0x107
	StatusInvalidInterruptVector       Status = 0x108
	StatusInvalidLogPage               Status = 0x109
	StatusInvalidFormat                Status = 0x10a
	StatusFirmwareNeedsReset           Status = 0x10b
	StatusInvalidQueueDeletion         Status = 0x10c
	StatusFeatureNotSaveable           Status = 0x10d
	StatusFeatureNotChangeable         Status = 0x10e
	StatusFeatureNotPerNamespace       Status = 0x10f
	StatusFirmwareNeedsSubsystemReset  Status = 0x110
	StatusFirmwareNeedsControllerReset Status = 0x111
	StatusFirmwareNeedsMaxTime         Status = 0x112
	StatusFirmwareProhibited           Status = 0x113
	StatusOverlappingRange             Status = 0x114
	StatusInsufficientCapacity         Status = 0x115
	StatusNamespaceIDUnavailable       Status = 0x116
	StatusAlreadyAttached              Status = 0x118
	StatusNamespacePrivate             Status = 0x119
	StatusNotAttached                  Status = 0x11a
	StatusThinProvisioningUnsupported  Status = 0x11b
	StatusInvalidControllerList        Status = 0x11c
	StatusSelfTestInProgress           Status = 0x11d
	StatusBootPartitionProhibited      Status = 0x11e
	StatusInvalidControllerID          Status = 0x11f
	StatusInvalidSecondaryState        Status = 0x120
	StatusInvalidControllerResources   Status = 0x121
	StatusInvalidResourceID            Status = 0x122
	StatusSanitizeProhibitedPMR        Status = 0x123
	StatusInvalidANAGroup              Status = 0x124
	StatusANAAttachFailed              Status = 0x125
	StatusInsufficientGroupCapacity    Status = 0x126
	StatusAttachmentLimit              Status = 0x127
	StatusLockdownUnsupported          Status = 0x128
	StatusCommandSetUnsupported        Status = 0x129
	StatusCommandSetDisabled           Status = 0x12a
	StatusCommandSetCombination        Status = 0x12b
	StatusInvalidCommandSet            Status = 0x12c
	StatusIdentifierUnavailable        Status = 0x12d

	// Command specific, of the NVM and the Zoned Namespace command sets: NVM
	// Command Set 1.0, 3.1; Zoned Namespace Command Set 1.1, 3.1. Fabrics commands
	// use 80h to 91h otherwise; a CommandError of theirs says so.

	StatusConflictingAttributes    Status = 0x180
	StatusInvalidProtection        Status = 0x181
	StatusReadOnlyRange            Status = 0x182
	StatusCommandSizeLimit         Status = 0x183
	StatusInvalidZoneOperation     Status = 0x1b6
	StatusZoneRandomWriteResources Status = 0x1b7
	StatusZoneBoundary             Status = 0x1b8
	StatusZoneFull                 Status = 0x1b9
	StatusZoneReadOnly             Status = 0x1ba
	StatusZoneOffline              Status = 0x1bb
	StatusZoneInvalidWrite         Status = 0x1bc
	StatusTooManyActiveZones       Status = 0x1bd
	StatusTooManyOpenZones         Status = 0x1be
	StatusInvalidZoneTransition    Status = 0x1bf

	// Media and data integrity: NVMe Base 2.0, 3.3.3.2.1.3, and NVM Command Set
	// 1.0, 3.1.

	StatusWriteFault      Status = 0x280
	StatusUnrecoveredRead Status = 0x281
	StatusGuardCheck      Status = 0x282
	StatusAppTagCheck     Status = 0x283
	StatusRefTagCheck     Status = 0x284
	StatusCompareFailure  Status = 0x285
	StatusAccessDenied    Status = 0x286
	StatusUnwritten       Status = 0x287
	StatusStorageTagCheck Status = 0x288

	// Path related: NVMe Base 2.0, 3.3.3.2.1.4. The kernel makes up 370h and
	// 371h itself.

	StatusPathInternalError   Status = 0x300
	StatusANAPersistentLoss   Status = 0x301
	StatusANAInaccessible     Status = 0x302
	StatusANATransition       Status = 0x303
	StatusControllerPathError Status = 0x360
	StatusHostPathError       Status = 0x370
	StatusAbortedByHost       Status = 0x371
)

var statusNames = map[Status]string{
	StatusSuccess:                      "successful completion",
	StatusInvalidOpcode:                "invalid command opcode",
	StatusInvalidField:                 "invalid field in command",
	StatusCommandIDConflict:            "command ID conflict",
	StatusDataTransferError:            "data transfer error",
	StatusPowerLoss:                    "command aborted due to power loss notification",
	StatusInternalError:                "internal error",
	StatusAbortRequested:               "command abort requested",
	StatusAbortedSQDeletion:            "command aborted due to SQ deletion",
	StatusFusedFailed:                  "command aborted due to failed fused command",
	StatusFusedMissing:                 "command aborted due to missing fused command",
	StatusInvalidNamespace:             "invalid namespace or format",
	StatusSequenceError:                "command sequence error",
	StatusInvalidSGLSegment:            "invalid SGL segment descriptor",
	StatusInvalidSGLCount:              "invalid number of SGL descriptors",
	StatusInvalidSGLDataLength:         "data SGL length invalid",
	StatusInvalidSGLMetadataLength:     "metadata SGL length invalid",
	StatusInvalidSGLType:               "SGL descriptor type invalid",
	StatusInvalidCMBUse:                "invalid use of controller memory buffer",
	StatusInvalidPRPOffset:             "PRP offset invalid",
	StatusAtomicWriteUnitExceeded:      "atomic write unit exceeded",
	StatusOperationDenied:              "operation denied",
	StatusInvalidSGLOffset:             "SGL offset invalid",
	StatusHostIDFormat:                 "host identifier inconsistent format",
	StatusKeepAliveExpired:             "keep alive timer expired",
	StatusInvalidKeepAlive:             "keep alive timeout invalid",
	StatusAbortedPreempt:               "command aborted due to preempt and abort",
	StatusSanitizeFailed:               "sanitize failed",
	StatusSanitizeInProgress:           "sanitize in progress",
	StatusInvalidSGLGranularity:        "SGL data block granularity invalid",
	StatusNotSupportedInCMB:            "command not supported for queue in CMB",
	StatusWriteProtected:               "namespace is write protected",
	StatusInterrupted:                  "command interrupted",
	StatusTransientTransport:           "transient transport error",
	StatusProhibitedByLockdown:         "command prohibited by command and feature lockdown",
	StatusMediaNotReady:                "admin command media not ready",
	StatusLBAOutOfRange:                "LBA out of range",
	StatusCapacityExceeded:             "capacity exceeded",
	StatusNamespaceNotReady:            "namespace not ready",
	StatusReservationConflict:          "reservation conflict",
	StatusFormatInProgress:             "format in progress",
	StatusInvalidCQ:                    "completion queue invalid",
	StatusInvalidQueueID:               "invalid queue identifier",
	StatusInvalidQueueSize:             "invalid queue size",
	StatusAbortLimit:                   "abort command limit exceeded",
	StatusAsyncEventLimit:              "asynchronous event request limit exceeded",
	StatusInvalidFirmwareSlot:          "invalid firmware slot",
	StatusInvalidFirmwareImage:         "invalid firmware image",
	StatusInvalidInterruptVector:       "invalid interrupt vector",
	StatusInvalidLogPage:               "invalid log page",
	StatusInvalidFormat:                "invalid format",
	StatusFirmwareNeedsReset:           "firmware activation requires conventional reset",
	StatusInvalidQueueDeletion:         "invalid queue deletion",
	StatusFeatureNotSaveable:           "feature identifier not saveable",
	StatusFeatureNotChangeable:         "feature not changeable",
	StatusFeatureNotPerNamespace:       "feature not namespace specific",
	StatusFirmwareNeedsSubsystemReset:  "firmware activation requires NVM subsystem reset",
	StatusFirmwareNeedsControllerReset: "firmware activation requires controller level reset",
	StatusFirmwareNeedsMaxTime:         "firmware activation requires maximum time violation",
	StatusFirmwareProhibited:           "firmware activation prohibited",
	StatusOverlappingRange:             "overlapping range",
	StatusInsufficientCapacity:         "namespace insufficient capacity",
	StatusNamespaceIDUnavailable:       "namespace identifier unavailable",
	StatusAlreadyAttached:              "namespace already attached",
	StatusNamespacePrivate:             "namespace is private",
	StatusNotAttached:                  "namespace not attached",
	StatusThinProvisioningUnsupported:  "thin provisioning not supported",
	StatusInvalidControllerList:        "controller list invalid",
	StatusSelfTestInProgress:           "device self-test in progress",
	StatusBootPartitionProhibited:      "boot partition write prohibited",
	StatusInvalidControllerID:          "invalid controller identifier",
	StatusInvalidSecondaryState:        "invalid secondary controller state",
	StatusInvalidControllerResources:   "invalid number of controller resources",
	StatusInvalidResourceID:            "invalid resource identifier",
	StatusSanitizeProhibitedPMR:        "sanitize prohibited while persistent memory region is enabled",
	StatusInvalidANAGroup:              "ANA group identifier invalid",
	StatusANAAttachFailed:              "ANA attach failed",
	StatusInsufficientGroupCapacity:    "insufficient capacity",
	StatusAttachmentLimit:              "namespace attachment limit exceeded",
	StatusLockdownUnsupported:          "prohibition of command execution not supported",
	StatusCommandSetUnsupported:        "I/O command set not supported",
	StatusCommandSetDisabled:           "I/O command set not enabled",
	StatusCommandSetCombination:        "I/O command set combination rejected",
	StatusInvalidCommandSet:            "invalid I/O command set",
	StatusIdentifierUnavailable:        "identifier unavailable",
	StatusConflictingAttributes:        "conflicting attributes",
	StatusInvalidProtection:            "invalid protection information",
	StatusReadOnlyRange:                "attempted write to read only range",
	StatusCommandSizeLimit:             "command size limit exceeded",
	StatusInvalidZoneOperation:         "invalid zone operation request",
	StatusZoneRandomWriteResources:     "ZRWA resources unavailable",
	StatusZoneBoundary:                 "zoned boundary error",
	StatusZoneFull:                     "zone is full",
	StatusZoneReadOnly:                 "zone is read only",
	StatusZoneOffline:                  "zone is offline",
	StatusZoneInvalidWrite:             "zone invalid write",
	StatusTooManyActiveZones:           "too many active zones",
	StatusTooManyOpenZones:             "too many open zones",
	StatusInvalidZoneTransition:        "invalid zone state transition",
	StatusWriteFault:                   "write fault",
	StatusUnrecoveredRead:              "unrecovered read error",
	StatusGuardCheck:                   "end-to-end guard check error",
	StatusAppTagCheck:                  "end-to-end application tag check error",
	StatusRefTagCheck:                  "end-to-end reference tag check error",
	StatusCompareFailure:               "compare failure",
	StatusAccessDenied:                 "access denied",
	StatusUnwritten:                    "deallocated or unwritten logical block",
	StatusStorageTagCheck:              "end-to-end storage tag check error",
	StatusPathInternalError:            "internal path error",
	StatusANAPersistentLoss:            "asymmetric access persistent loss",
	StatusANAInaccessible:              "asymmetric access inaccessible",
	StatusANATransition:                "asymmetric access transition",
	StatusControllerPathError:          "controller pathing error",
	StatusHostPathError:                "host pathing error",
	StatusAbortedByHost:                "command aborted by host",
}

// fabricsStatusNames are of fabrics commands: NVMe Base 2.0, 3.3.3.2.1.2.
var fabricsStatusNames = map[Status]string{
	0x180: "incompatible format",
	0x181: "controller busy",
	0x182: "connect invalid parameters",
	0x183: "connect restart discovery",
	0x184: "connect invalid host",
	0x185: "invalid queue type",
	0x190: "discover restart",
	0x191: "authentication required",
}
