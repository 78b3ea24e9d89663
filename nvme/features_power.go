package nvme

import (
	"encoding/binary"
	"fmt"
	"time"
)

// PowerManagement is the Power Management feature (02h).
type PowerManagement struct {
	State    uint8 // PS: 0 to 31
	Workload uint8 // WH: workload hint, 0 to 7
}

// ID returns FeaturePowerManagement.
func (*PowerManagement) ID() FeatureID       { return FeaturePowerManagement }
func (*PowerManagement) query() featureQuery { return featureQuery{} }

func (f *PowerManagement) decode(dw0 uint32, _ []byte) error {
	*f = PowerManagement{uint8(dw0 & 0x1f), uint8(dw0 >> 5 & 7)}
	return nil
}

func (f *PowerManagement) encode() (featureValue, error) {
	v := featureValue{cdw11: uint32(f.State) | uint32(f.Workload)<<5}
	if err := limit(f.ID(), "State", f.State, 31); err != nil {
		return v, err
	}
	return v, limit(f.ID(), "Workload", f.Workload, 7)
}

// TemperatureThreshold is the Temperature Threshold feature (04h). Sensor and
// Under say which threshold is meant, when it is read too.
type TemperatureThreshold struct {
	Sensor    uint8 // TMPSEL: 0 is the composite temperature, 1 to 8 a sensor, 15 all (when set)
	Under     bool  // THSEL: the under, rather than the over temperature threshold
	Threshold Temperature
}

// ID returns FeatureTemperatureThreshold.
func (*TemperatureThreshold) ID() FeatureID { return FeatureTemperatureThreshold }

func (f *TemperatureThreshold) selector() uint32 {
	return uint32(f.Sensor)<<16 | bit(f.Under, 20)
}

func (f *TemperatureThreshold) query() featureQuery {
	return featureQuery{cdw11: f.selector(), err: limit(f.ID(), "Sensor", f.Sensor, 15)}
}

func (f *TemperatureThreshold) decode(dw0 uint32, _ []byte) error {
	f.Threshold = Temperature(dw0)
	return nil
}

func (f *TemperatureThreshold) encode() (featureValue, error) {
	return featureValue{cdw11: f.selector() | uint32(f.Threshold)}, nil
}

// ThermalManagement is the Host Controlled Thermal Management feature (10h).
// 0 is disabled.
type ThermalManagement struct {
	First  Temperature // TMT1: from here on, lower power with little impact
	Second Temperature // TMT2: from here on, lower power regardless
}

// ID returns FeatureThermalManagement.
func (*ThermalManagement) ID() FeatureID       { return FeatureThermalManagement }
func (*ThermalManagement) query() featureQuery { return featureQuery{} }

func (f *ThermalManagement) decode(dw0 uint32, _ []byte) error {
	*f = ThermalManagement{Temperature(dw0 >> 16), Temperature(dw0)}
	return nil
}

func (f *ThermalManagement) encode() (featureValue, error) {
	return featureValue{cdw11: uint32(f.First)<<16 | uint32(f.Second)}, nil
}

// NonOperationalPower is the Non-Operational Power State Config feature (11h).
type NonOperationalPower struct {
	Permissive bool // NOPPME: background work may exceed a non-operational state's power
}

// ID returns FeatureNonOperationalPower.
func (*NonOperationalPower) ID() FeatureID       { return FeatureNonOperationalPower }
func (*NonOperationalPower) query() featureQuery { return featureQuery{} }

func (f *NonOperationalPower) decode(dw0 uint32, _ []byte) error {
	f.Permissive = dw0&1 != 0
	return nil
}

func (f *NonOperationalPower) encode() (featureValue, error) {
	return featureValue{cdw11: bit(f.Permissive, 0)}, nil
}

// AutonomousPowerStates is the Autonomous Power State Transition feature (0Ch).
type AutonomousPowerStates struct {
	Enabled     bool                     // APSTE
	Transitions [32]AutonomousTransition // from each power state
}

// AutonomousTransition is where the controller goes from a power state once it
// has been idle.
type AutonomousTransition struct {
	State uint8         // ITPS: the non-operational state to go to, 0 to 31
	Idle  time.Duration // ITPT: after how long, in whole milliseconds of 24 bits; 0 is never
}

// ID returns FeatureAutonomousPowerStates.
func (*AutonomousPowerStates) ID() FeatureID       { return FeatureAutonomousPowerStates }
func (*AutonomousPowerStates) query() featureQuery { return featureQuery{size: 256} }

func (f *AutonomousPowerStates) decode(dw0 uint32, data []byte) error {
	f.Enabled = dw0&1 != 0
	for i := range f.Transitions {
		entry := binary.LittleEndian.Uint64(data[8*i:])
		f.Transitions[i] = AutonomousTransition{
			State: uint8(entry >> 3 & 0x1f),
			Idle:  time.Duration(entry>>8&0xffffff) * time.Millisecond,
		}
	}
	return nil
}

func (f *AutonomousPowerStates) encode() (featureValue, error) {
	data := make([]byte, 256)
	for i, t := range f.Transitions {
		if err := limit(f.ID(), "State", t.State, 31); err != nil {
			return featureValue{}, err
		}
		if t.Idle < 0 || t.Idle%time.Millisecond != 0 || t.Idle >= 1<<24*time.Millisecond {
			return featureValue{}, &ArgumentError{"set features", fmt.Sprintf("Idle of %v", f.ID()), t.Idle, "whole milliseconds, 24 bits of them"}
		}
		binary.LittleEndian.PutUint64(data[8*i:], uint64(t.State)<<3|uint64(t.Idle/time.Millisecond)<<8)
	}
	return featureValue{cdw11: bit(f.Enabled, 0), data: data}, nil
}
