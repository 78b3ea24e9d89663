package nvme

import (
	"context"
	"fmt"
)

// FeatureID identifies a feature: NVMe Base 2.0, 5.27.1, and NVM Command Set
// 1.0, 4.1.3.
type FeatureID uint8

// Feature identifiers.
const (
	FeatureArbitration           FeatureID = 0x01
	FeaturePowerManagement       FeatureID = 0x02
	FeatureLBARangeType          FeatureID = 0x03
	FeatureTemperatureThreshold  FeatureID = 0x04
	FeatureErrorRecovery         FeatureID = 0x05
	FeatureVolatileWriteCache    FeatureID = 0x06
	FeatureNumberOfQueues        FeatureID = 0x07
	FeatureInterruptCoalescing   FeatureID = 0x08
	FeatureInterruptVector       FeatureID = 0x09
	FeatureWriteAtomicity        FeatureID = 0x0a
	FeatureAsyncEvents           FeatureID = 0x0b
	FeatureAutonomousPowerStates FeatureID = 0x0c
	FeatureHostMemoryBuffer      FeatureID = 0x0d
	FeatureTimestamp             FeatureID = 0x0e
	FeatureKeepAlive             FeatureID = 0x0f
	FeatureThermalManagement     FeatureID = 0x10
	FeatureNonOperationalPower   FeatureID = 0x11
	FeatureReadRecoveryLevel     FeatureID = 0x12
	FeaturePredictableLatency    FeatureID = 0x13
	FeaturePredictableWindow     FeatureID = 0x14
	FeatureLBAStatusInterval     FeatureID = 0x15
	FeatureHostBehavior          FeatureID = 0x16
	FeatureSanitizeConfig        FeatureID = 0x17
	FeatureEnduranceEvents       FeatureID = 0x18
	FeatureCommandSetProfile     FeatureID = 0x19
	FeatureSpinup                FeatureID = 0x1a
	FeatureSoftwareProgress      FeatureID = 0x80
	FeatureHostID                FeatureID = 0x81
	FeatureReservationMask       FeatureID = 0x82
	FeatureReservationPersist    FeatureID = 0x83
	FeatureWriteProtect          FeatureID = 0x84
)

var featureNames = map[FeatureID]string{
	FeatureArbitration: "arbitration", FeaturePowerManagement: "power management", FeatureLBARangeType: "LBA range type",
	FeatureTemperatureThreshold: "temperature threshold", FeatureErrorRecovery: "error recovery",
	FeatureVolatileWriteCache: "volatile write cache", FeatureNumberOfQueues: "number of queues",
	FeatureInterruptCoalescing: "interrupt coalescing", FeatureInterruptVector: "interrupt vector configuration",
	FeatureWriteAtomicity: "write atomicity", FeatureAsyncEvents: "asynchronous event configuration",
	FeatureAutonomousPowerStates: "autonomous power state transition", FeatureHostMemoryBuffer: "host memory buffer",
	FeatureTimestamp: "timestamp", FeatureKeepAlive: "keep alive timer", FeatureThermalManagement: "host controlled thermal management",
	FeatureNonOperationalPower: "non-operational power state config", FeatureReadRecoveryLevel: "read recovery level",
	FeaturePredictableLatency: "predictable latency mode config", FeaturePredictableWindow: "predictable latency mode window",
	FeatureLBAStatusInterval: "LBA status information report interval", FeatureHostBehavior: "host behavior support",
	FeatureSanitizeConfig: "sanitize config", FeatureEnduranceEvents: "endurance group event configuration",
	FeatureCommandSetProfile: "I/O command set profile", FeatureSpinup: "spinup control",
	FeatureSoftwareProgress: "software progress marker", FeatureHostID: "host identifier",
	FeatureReservationMask: "reservation notification mask", FeatureReservationPersist: "reservation persistence",
	FeatureWriteProtect: "namespace write protection",
}

// String names the feature.
func (id FeatureID) String() string {
	if name, ok := featureNames[id]; ok {
		return name
	}
	return fmt.Sprintf("feature %02Xh", uint8(id))
}

// A Feature is the value of a feature: [PowerManagement], [Timestamp] and so
// on, or [RawFeature] for one that this package has no type for.
type Feature interface {
	// ID returns the feature's identifier.
	ID() FeatureID

	// query returns what Get Features needs beyond the identifier.
	query() featureQuery
	// decode takes the value from DW0 and the data of Get Features.
	decode(dw0 uint32, data []byte) error
	// encode returns the dwords and the data of Set Features.
	encode() (featureValue, error)
}

// featureQuery is what Get Features needs beyond the identifier.
type featureQuery struct {
	cdw11        uint32 // a selector, where the feature has one
	size         int    // bytes of data
	perNamespace bool   // NSID 0 makes no sense
	err          error  // a selector that could not be right
}

// featureValue is what Set Features takes.
type featureValue struct {
	cdw11, cdw12, cdw13, cdw14, cdw15 uint32
	data                              []byte
}

// FeatureSelect says which value Get Features returns.
type FeatureSelect uint8

// Values of a feature.
const (
	CurrentValue FeatureSelect = 0
	DefaultValue FeatureSelect = 1
	SavedValue   FeatureSelect = 2
	capabilities FeatureSelect = 3
)

// FeatureOptions say which value of a feature is meant. The zero value is the
// controller's current one.
type FeatureOptions struct {
	// NSID is the namespace, for a feature that each has for itself.
	NSID uint32
	// Select is which value to read.
	Select FeatureSelect
	// Save makes the value that is set survive power cycles and resets.
	Save bool
	// UUIDIndex chooses a vendor's definition; 0 is none, at most 127.
	UUIDIndex uint8
}

// ReadFeature reads the feature into f (Get Features: NVMe Base 2.0, 5.15).
// Where the feature has a selector, such as TemperatureThreshold's Sensor, what
// f holds of it says what to read.
func (c *Controller) ReadFeature(ctx context.Context, f Feature, o FeatureOptions) error {
	const op = "get features"
	q := f.query()
	if err := o.check(op, q); err != nil {
		return err
	}
	switch {
	case o.Save:
		return &ArgumentError{op, "Save", true, "false: it is for set features"}
	case o.Select > SavedValue:
		return &ArgumentError{op, "Select", o.Select, "one of the constants"}
	}
	cmd := Command{
		Opcode: AdminGetFeatures, NSID: o.NSID,
		CDW10: uint32(f.ID()) | uint32(o.Select)<<8, CDW11: q.cdw11, CDW14: uint32(o.UUIDIndex),
	}
	if q.size > 0 {
		cmd.Data = make([]byte, q.size)
	}
	result, err := c.Do(ctx, cmd)
	if err != nil {
		return err
	}
	return f.decode(uint32(result), cmd.Data)
}

// WriteFeature sets the feature to f (Set Features: NVMe Base 2.0, 5.27). Some
// drives answer with the value that they made of it, which f then holds: the
// number of queues is one.
//
// NB: Debian's Linux 6.12.117 refuses, with os.ErrPermission and root too, to set
// what it works with itself: the number of queues, autonomous power states, the host
// memory buffer, keep alive and the host's behavior. 6.1 lets them through.
func (c *Controller) WriteFeature(ctx context.Context, f Feature, o FeatureOptions) error {
	const op = "set features"
	if err := o.check(op, f.query()); err != nil {
		return err
	}
	if o.Select != CurrentValue {
		return &ArgumentError{op, "Select", o.Select, "CurrentValue: it is for get features"}
	}
	v, err := f.encode()
	if err != nil {
		return err
	}
	result, err := c.Do(ctx, Command{
		Opcode: AdminSetFeatures, NSID: o.NSID,
		CDW10: uint32(f.ID()) | bit(o.Save, 31), CDW11: v.cdw11, CDW12: v.cdw12, CDW13: v.cdw13, CDW15: v.cdw15,
		CDW14: v.cdw14 | uint32(o.UUIDIndex), Data: v.data,
	})
	if err != nil {
		return err
	}
	if granted, ok := f.(interface{ granted(uint32) }); ok {
		granted.granted(uint32(result))
	}
	return nil
}

func (o *FeatureOptions) check(op string, q featureQuery) error {
	if o.UUIDIndex > 0x7f {
		return &ArgumentError{op, "UUIDIndex", o.UUIDIndex, "at most 127"}
	}
	if q.err != nil {
		return q.err
	}
	if q.perNamespace {
		return checkNSID(op, o.NSID, true)
	}
	return nil
}

// FeatureCapabilities are what can be done with a feature.
type FeatureCapabilities uint32

// Bits of FeatureCapabilities.
const (
	FeatureSaveable   FeatureCapabilities = 1 << iota
	FeatureNamespaced                     // each namespace has a value of its own
	FeatureChangeable
)

// String names the bits.
func (c FeatureCapabilities) String() string {
	return flagText(uint64(c), "saveable", "namespaced", "changeable")
}

// FeatureCapabilities returns what can be done with a feature; nsid may be 0.
func (c *Controller) FeatureCapabilities(ctx context.Context, id FeatureID, nsid uint32) (FeatureCapabilities, error) {
	result, err := c.Do(ctx, Command{
		Opcode: AdminGetFeatures, NSID: nsid, CDW10: uint32(id) | uint32(capabilities)<<8,
	})
	return FeatureCapabilities(result), err
}

// RawFeature is a feature as it is on the wire.
type RawFeature struct {
	FeatureID FeatureID
	// Set Features sends the dwords; Get Features sends CDW11 too.
	CDW11, CDW12, CDW13, CDW14, CDW15 uint32
	// Value is what was read: DW0 of the completion.
	Value uint32
	// Data is sent by Set Features, and filled by Get Features. It is whole
	// dwords; empty is none.
	Data []byte
}

// ID returns f.FeatureID.
func (f *RawFeature) ID() FeatureID { return f.FeatureID }

func (f *RawFeature) query() featureQuery { return featureQuery{cdw11: f.CDW11, size: len(f.Data)} }

func (f *RawFeature) decode(dw0 uint32, data []byte) error {
	f.Value = dw0
	copy(f.Data, data)
	return nil
}

func (f *RawFeature) encode() (featureValue, error) {
	return featureValue{f.CDW11, f.CDW12, f.CDW13, f.CDW14, f.CDW15, f.Data}, nil
}
