package nvme

import (
	"fmt"
	"time"
)

// limit refuses a value above most.
func limit[T ~uint8 | ~uint16 | ~uint32 | ~uint64](id FeatureID, field string, value, most T) error {
	if value > most {
		return &ArgumentError{"feature", fmt.Sprintf("%s of %v", field, id), value, fmt.Sprintf("at most %d", most)}
	}
	return nil
}

// Arbitration is the Arbitration feature (01h).
type Arbitration struct {
	Burst                               uint8 // AB: commands at a time as a power of two; 7 is no limit
	LowWeight, MediumWeight, HighWeight uint8 // 0's based
}

// ID returns FeatureArbitration.
func (*Arbitration) ID() FeatureID       { return FeatureArbitration }
func (*Arbitration) query() featureQuery { return featureQuery{} }

func (f *Arbitration) decode(dw0 uint32, _ []byte) error {
	*f = Arbitration{uint8(dw0 & 7), uint8(dw0 >> 8), uint8(dw0 >> 16), uint8(dw0 >> 24)}
	return nil
}

func (f *Arbitration) encode() (featureValue, error) {
	cdw11 := uint32(f.Burst) | uint32(f.LowWeight)<<8 | uint32(f.MediumWeight)<<16 | uint32(f.HighWeight)<<24
	return featureValue{cdw11: cdw11}, limit(f.ID(), "Burst", f.Burst, 7)
}

// ErrorRecovery is the Error Recovery feature (05h) of a namespace.
type ErrorRecovery struct {
	Limit            uint16 // TLER: time limited error recovery, in units of 100 ms; 0 is no limit
	DeallocatedError bool   // DULBE: a read of a deallocated block is an error
}

// ID returns FeatureErrorRecovery.
func (*ErrorRecovery) ID() FeatureID       { return FeatureErrorRecovery }
func (*ErrorRecovery) query() featureQuery { return featureQuery{perNamespace: true} }

func (f *ErrorRecovery) decode(dw0 uint32, _ []byte) error {
	*f = ErrorRecovery{uint16(dw0), dw0&(1<<16) != 0}
	return nil
}

func (f *ErrorRecovery) encode() (featureValue, error) {
	return featureValue{cdw11: uint32(f.Limit) | bit(f.DeallocatedError, 16)}, nil
}

// VolatileWriteCache is the Volatile Write Cache feature (06h).
type VolatileWriteCache struct{ Enabled bool }

// ID returns FeatureVolatileWriteCache.
func (*VolatileWriteCache) ID() FeatureID       { return FeatureVolatileWriteCache }
func (*VolatileWriteCache) query() featureQuery { return featureQuery{} }

func (f *VolatileWriteCache) decode(dw0 uint32, _ []byte) error {
	f.Enabled = dw0&1 != 0
	return nil
}

func (f *VolatileWriteCache) encode() (featureValue, error) {
	return featureValue{cdw11: bit(f.Enabled, 0)}, nil
}

// NumberOfQueues is the Number of Queues feature (07h), in queues: not 0's
// based. Setting it returns what the controller allocates. The kernel has set
// it already, and controllers refuse a second time.
type NumberOfQueues struct {
	Submission uint32 // 1 to 65535
	Completion uint32 // 1 to 65535
}

// ID returns FeatureNumberOfQueues.
func (*NumberOfQueues) ID() FeatureID       { return FeatureNumberOfQueues }
func (*NumberOfQueues) query() featureQuery { return featureQuery{} }

func (f *NumberOfQueues) decode(dw0 uint32, _ []byte) error {
	f.granted(dw0)
	return nil
}

func (f *NumberOfQueues) granted(dw0 uint32) {
	*f = NumberOfQueues{dw0&0xffff + 1, dw0>>16 + 1}
}

func (f *NumberOfQueues) encode() (featureValue, error) {
	for _, n := range []uint32{f.Submission, f.Completion} {
		if n < 1 || n > 65535 {
			return featureValue{}, &ArgumentError{"set features", "number of queues", n, "1 to 65535"}
		}
	}
	return featureValue{cdw11: f.Submission - 1 | (f.Completion-1)<<16}, nil
}

// InterruptCoalescing is the Interrupt Coalescing feature (08h).
type InterruptCoalescing struct {
	Threshold uint8 // THR: completions, 0's based
	Time      uint8 // TIME: units of 100 us; 0 is no delay
}

// ID returns FeatureInterruptCoalescing.
func (*InterruptCoalescing) ID() FeatureID       { return FeatureInterruptCoalescing }
func (*InterruptCoalescing) query() featureQuery { return featureQuery{} }

func (f *InterruptCoalescing) decode(dw0 uint32, _ []byte) error {
	*f = InterruptCoalescing{uint8(dw0), uint8(dw0 >> 8)}
	return nil
}

func (f *InterruptCoalescing) encode() (featureValue, error) {
	return featureValue{cdw11: uint32(f.Threshold) | uint32(f.Time)<<8}, nil
}

// InterruptVector is the Interrupt Vector Configuration feature (09h). Vector
// says which one is meant, when it is read too.
type InterruptVector struct {
	Vector            uint16 // IV
	CoalescingDisable bool   // CD
}

// ID returns FeatureInterruptVector.
func (*InterruptVector) ID() FeatureID         { return FeatureInterruptVector }
func (f *InterruptVector) query() featureQuery { return featureQuery{cdw11: uint32(f.Vector)} }

func (f *InterruptVector) decode(dw0 uint32, _ []byte) error {
	*f = InterruptVector{uint16(dw0), dw0&(1<<16) != 0}
	return nil
}

func (f *InterruptVector) encode() (featureValue, error) {
	return featureValue{cdw11: uint32(f.Vector) | bit(f.CoalescingDisable, 16)}, nil
}

// WriteAtomicity is the Write Atomicity Normal feature (0Ah).
type WriteAtomicity struct {
	NormalDisable bool // DN: only the power fail atomic write unit is honored
}

// ID returns FeatureWriteAtomicity.
func (*WriteAtomicity) ID() FeatureID       { return FeatureWriteAtomicity }
func (*WriteAtomicity) query() featureQuery { return featureQuery{} }

func (f *WriteAtomicity) decode(dw0 uint32, _ []byte) error {
	f.NormalDisable = dw0&1 != 0
	return nil
}

func (f *WriteAtomicity) encode() (featureValue, error) {
	return featureValue{cdw11: bit(f.NormalDisable, 0)}, nil
}

// AsyncEvents is the Asynchronous Event Configuration feature (0Bh): which
// events are sent. The lower eight bits are those of [CriticalWarning].
type AsyncEvents uint32

// Bits of AsyncEvents above those of CriticalWarning.
const (
	NotifyNamespaceAttributes AsyncEvents = 1 << (8 + iota)
	NotifyFirmwareActivation
	NotifyTelemetry
	NotifyANA
	NotifyPredictableLatency
	NotifyLBAStatus
	NotifyEnduranceGroup
	NotifyNormalShutdown
)

// String names the bits.
func (e AsyncEvents) String() string {
	return flagText(uint64(e), "spare", "temperature", "reliability", "read-only", "backup", "pmr", "", "",
		"namespace-attributes", "firmware-activation", "telemetry", "ana", "predictable-latency", "lba-status",
		"endurance-group", "normal-shutdown")
}

// ID returns FeatureAsyncEvents.
func (*AsyncEvents) ID() FeatureID       { return FeatureAsyncEvents }
func (*AsyncEvents) query() featureQuery { return featureQuery{} }

func (e *AsyncEvents) decode(dw0 uint32, _ []byte) error {
	*e = AsyncEvents(dw0)
	return nil
}

func (e *AsyncEvents) encode() (featureValue, error) { return featureValue{cdw11: uint32(*e)}, nil }

// KeepAlive is the Keep Alive Timer feature (0Fh).
type KeepAlive struct{ Timeout time.Duration } // KATO: whole milliseconds; 0 is none

// ID returns FeatureKeepAlive.
func (*KeepAlive) ID() FeatureID       { return FeatureKeepAlive }
func (*KeepAlive) query() featureQuery { return featureQuery{} }

func (f *KeepAlive) decode(dw0 uint32, _ []byte) error {
	f.Timeout = time.Duration(dw0) * time.Millisecond
	return nil
}

func (f *KeepAlive) encode() (featureValue, error) {
	if f.Timeout < 0 || f.Timeout > NoTimeout || f.Timeout%time.Millisecond != 0 {
		return featureValue{}, &ArgumentError{"set features", "keep alive timeout", f.Timeout, "whole milliseconds, 32 bits of them"}
	}
	return featureValue{cdw11: uint32(f.Timeout / time.Millisecond)}, nil
}

// ReadRecoveryLevel is the Read Recovery Level Config feature (12h). NVMSet
// says which set is meant, when it is read too.
type ReadRecoveryLevel struct {
	NVMSet uint16
	Level  uint8 // RRL: 0 to 15
}

// ID returns FeatureReadRecoveryLevel.
func (*ReadRecoveryLevel) ID() FeatureID         { return FeatureReadRecoveryLevel }
func (f *ReadRecoveryLevel) query() featureQuery { return featureQuery{cdw11: uint32(f.NVMSet)} }

func (f *ReadRecoveryLevel) decode(dw0 uint32, _ []byte) error {
	f.Level = uint8(dw0 & 0xf)
	return nil
}

func (f *ReadRecoveryLevel) encode() (featureValue, error) {
	return featureValue{cdw11: uint32(f.NVMSet), cdw12: uint32(f.Level)}, limit(f.ID(), "Level", f.Level, 15)
}

// SanitizeConfig is the Sanitize Config feature (17h).
type SanitizeConfig struct {
	NoDeallocWarns bool // NODRM: No-Deallocate that cannot be kept is a warning, not an error
}

// ID returns FeatureSanitizeConfig.
func (*SanitizeConfig) ID() FeatureID       { return FeatureSanitizeConfig }
func (*SanitizeConfig) query() featureQuery { return featureQuery{} }

func (f *SanitizeConfig) decode(dw0 uint32, _ []byte) error {
	f.NoDeallocWarns = dw0&1 != 0
	return nil
}

func (f *SanitizeConfig) encode() (featureValue, error) {
	return featureValue{cdw11: bit(f.NoDeallocWarns, 0)}, nil
}

// EnduranceEvents is the Endurance Group Event Configuration feature (18h).
// Group says which one is meant, when it is read too.
type EnduranceEvents struct {
	Group    uint16          // ENDGID
	Warnings CriticalWarning // which of them raise an event
}

// ID returns FeatureEnduranceEvents.
func (*EnduranceEvents) ID() FeatureID         { return FeatureEnduranceEvents }
func (f *EnduranceEvents) query() featureQuery { return featureQuery{cdw11: uint32(f.Group)} }

func (f *EnduranceEvents) decode(dw0 uint32, _ []byte) error {
	f.Warnings = CriticalWarning(dw0 >> 16)
	return nil
}

func (f *EnduranceEvents) encode() (featureValue, error) {
	return featureValue{cdw11: uint32(f.Group) | uint32(f.Warnings)<<16}, nil
}

// CommandSetProfile is the I/O Command Set Profile feature (19h).
type CommandSetProfile struct {
	Index uint16 // IOCSCI: into CommandSetCombinations, 0 to 511
}

// ID returns FeatureCommandSetProfile.
func (*CommandSetProfile) ID() FeatureID       { return FeatureCommandSetProfile }
func (*CommandSetProfile) query() featureQuery { return featureQuery{} }

func (f *CommandSetProfile) decode(dw0 uint32, _ []byte) error {
	f.Index = uint16(dw0 & 0x1ff)
	return nil
}

func (f *CommandSetProfile) encode() (featureValue, error) {
	return featureValue{cdw11: uint32(f.Index)}, limit(f.ID(), "Index", f.Index, 511)
}

// SoftwareProgress is the Software Progress Marker feature (80h).
type SoftwareProgress struct {
	PreBootLoads uint8 // PBSLC: unsuccessful loads of pre-boot software
}

// ID returns FeatureSoftwareProgress.
func (*SoftwareProgress) ID() FeatureID       { return FeatureSoftwareProgress }
func (*SoftwareProgress) query() featureQuery { return featureQuery{} }

func (f *SoftwareProgress) decode(dw0 uint32, _ []byte) error {
	f.PreBootLoads = uint8(dw0)
	return nil
}

func (f *SoftwareProgress) encode() (featureValue, error) {
	return featureValue{cdw11: uint32(f.PreBootLoads)}, nil
}

// ReservationMask is the Reservation Notification Mask feature (82h) of a
// namespace: which notifications are not sent.
type ReservationMask struct {
	RegistrationPreempted bool // REGPRE
	ReservationReleased   bool // RESREL
	ReservationPreempted  bool // RESPRE
}

// ID returns FeatureReservationMask.
func (*ReservationMask) ID() FeatureID       { return FeatureReservationMask }
func (*ReservationMask) query() featureQuery { return featureQuery{perNamespace: true} }

func (f *ReservationMask) decode(dw0 uint32, _ []byte) error {
	*f = ReservationMask{dw0&2 != 0, dw0&4 != 0, dw0&8 != 0}
	return nil
}

func (f *ReservationMask) encode() (featureValue, error) {
	return featureValue{cdw11: bit(f.RegistrationPreempted, 1) | bit(f.ReservationReleased, 2) | bit(f.ReservationPreempted, 3)}, nil
}

// ReservationPersistence is the Reservation Persistence feature (83h) of a
// namespace.
type ReservationPersistence struct {
	ThroughPowerLoss bool // PTPL
}

// ID returns FeatureReservationPersist.
func (*ReservationPersistence) ID() FeatureID       { return FeatureReservationPersist }
func (*ReservationPersistence) query() featureQuery { return featureQuery{perNamespace: true} }

func (f *ReservationPersistence) decode(dw0 uint32, _ []byte) error {
	f.ThroughPowerLoss = dw0&1 != 0
	return nil
}

func (f *ReservationPersistence) encode() (featureValue, error) {
	return featureValue{cdw11: bit(f.ThroughPowerLoss, 0)}, nil
}

// WriteProtect is the Namespace Write Protection Config feature (84h) of a
// namespace.
type WriteProtect uint8

// Write protection states.
const (
	NotWriteProtected         WriteProtect = 0
	WriteProtected            WriteProtect = 1
	WriteProtectedUntilPower  WriteProtect = 2 // until a power cycle
	WriteProtectedPermanently WriteProtect = 3 // there is no way back
)

// ID returns FeatureWriteProtect.
func (*WriteProtect) ID() FeatureID       { return FeatureWriteProtect }
func (*WriteProtect) query() featureQuery { return featureQuery{perNamespace: true} }

func (p *WriteProtect) decode(dw0 uint32, _ []byte) error {
	*p = WriteProtect(dw0 & 7)
	return nil
}

func (p *WriteProtect) encode() (featureValue, error) {
	return featureValue{cdw11: uint32(*p)}, limit(p.ID(), "state", *p, WriteProtectedPermanently)
}
