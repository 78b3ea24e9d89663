package nvmetest

import (
	"encoding/binary"
	"time"

	"github.com/drivebay/drivebay/nvme"
)

func checkPowerState(r *request, v uint32, _ []byte) nvme.Status {
	if v&0x1f > uint32(r.c.drive.profile.Controller.PowerStateCount) {
		return r.invalid(11, 0)
	}
	return success
}

func checkQueues(r *request, v uint32, _ []byte) nvme.Status {
	if v&0xffff == 0xffff || v>>16 == 0xffff {
		return r.invalid(11, 0)
	}
	return success
}

func checkVector(r *request, v uint32, _ []byte) nvme.Status {
	if v&0xffff > 8 {
		return r.invalid(11, 0)
	}
	return success
}

// checkThermal refuses temperatures outside MNTMT to MXTMT, and TMT1 not below
// TMT2.
func checkThermal(r *request, v uint32, _ []byte) nvme.Status {
	id := &r.c.drive.profile.Controller
	tmt1, tmt2 := nvme.Temperature(v>>16), nvme.Temperature(v)
	for _, t := range []nvme.Temperature{tmt1, tmt2} {
		if t != 0 && (t < id.MinThermalTemperature || t > id.MaxThermalTemperature) {
			return r.invalid(11, 0)
		}
	}
	if tmt1 != 0 && tmt2 != 0 && tmt1 >= tmt2 {
		return r.invalid(11, 0)
	}
	return success
}

// checkHostMemory takes a buffer's description, and does not use it.
func checkHostMemory(r *request, v uint32, _ []byte) nvme.Status {
	if v&1 != 0 && (r.cmd.CDW12 == 0 || r.cmd.CDW15 == 0) {
		return r.invalid(12, 0)
	}
	if v&1 != 0 && r.c.features.current[featureKey{nvme.FeatureHostMemoryBuffer, 0}].value&1 != 0 {
		return nvme.StatusSequenceError.WithDNR() // it is enabled already
	}
	data := make([]byte, 16)
	for i, dw := range []uint32{r.cmd.CDW12, r.cmd.CDW13, r.cmd.CDW14, r.cmd.CDW15} {
		binary.LittleEndian.PutUint32(data[4*i:], dw)
	}
	r.c.features.current[featureKey{nvme.FeatureHostMemoryBuffer, 1}] = featureValue{data: data}
	return success
}

func getHostMemory(r *request, data []byte) uint32 {
	clear(data[copy(data, r.c.features.current[featureKey{nvme.FeatureHostMemoryBuffer, 1}].data):])
	return r.c.features.current[featureKey{nvme.FeatureHostMemoryBuffer, 0}].value
}

func checkHostBehavior(r *request, _ uint32, data []byte) nvme.Status {
	if data[0] > 1 || data[1] > 1 || data[2] > 1 {
		return invalidField
	}
	return success
}

// threshold returns where a temperature threshold is kept.
func (r *request) threshold() *nvme.Temperature {
	sensor, kind := r.cmd.CDW11>>16&0xf, r.cmd.CDW11>>20&3
	if sensor >= 9 || kind > 1 {
		return nil
	}
	return &r.c.features.sensor[sensor][kind]
}

func setThreshold(r *request, v uint32, _ []byte) nvme.Status {
	kind := v >> 20 & 3
	switch sensor := v >> 16 & 0xf; {
	case kind > 1 || sensor > 8 && sensor != 0xf:
		return r.invalid(11, 16)
	case sensor == 0xf:
		for i := range r.c.features.sensor {
			r.c.features.sensor[i][kind] = nvme.Temperature(v)
		}
	default:
		*r.threshold() = nvme.Temperature(v)
	}
	r.c.drive.checkTemperature()
	return success
}

func getThreshold(r *request, _ []byte) uint32 {
	if t := r.threshold(); t != nil {
		return uint32(*t)
	}
	return 0
}

func setTimestamp(r *request, _ uint32, data []byte) nvme.Status {
	var t nvme.Timestamp
	if err := nvme.Decode(data, &t); err != nil {
		return invalidField
	}
	before := r.c.timestamp()
	s := &r.c.features
	s.clock, s.clockValue, s.clockSet = r.c.drive.now, t.Milliseconds, true
	r.c.drive.persistent.add(r.c.drive, r.c.id, nvme.EventTimestampChange,
		&nvme.TimestampChangeEvent{Previous: before, Milliseconds: before.Milliseconds})
	return success
}

func getTimestamp(r *request, data []byte) uint32 {
	t := r.c.timestamp()
	if b, err := nvme.Encode(&t); err == nil {
		copy(data, b)
	}
	return 0
}

// timestamp returns the controller's clock, by the drive's.
func (c *Controller) timestamp() nvme.Timestamp {
	s := &c.features
	t := nvme.Timestamp{Milliseconds: (s.clockValue + uint64((c.drive.now-s.clock)/time.Millisecond)) & (1<<48 - 1)}
	if s.clockSet {
		t.Attributes = 1 << 1
	}
	return t
}

// setHostID sets the Host Identifier, which may be changed only by a reset.
func setHostID(r *request, _ uint32, data []byte) nvme.Status {
	var id [16]byte
	copy(id[:], data)
	switch {
	case r.c.hostID == id:
		return success
	case r.c.hostID != [16]byte{}:
		return nvme.StatusSequenceError.WithDNR()
	case len(data) == 16 && id == [16]byte{}:
		return r.invalid(11, 0)
	}
	r.c.hostID = id
	return success
}

// SetHostID tells the controller which host it serves, where that is no feature for
// the host to set: over fabrics it comes with Connect. It lasts until the next reset.
// Reservations tell hosts apart by it; zero is none.
func (c *Controller) SetHostID(id [16]byte) {
	c.drive.mu.Lock()
	defer c.drive.mu.Unlock()
	c.hostID = id
}

func getHostID(r *request, data []byte) uint32 {
	copy(data, r.c.hostID[:])
	return r.cmd.CDW11 & 1
}

// eachNamespace calls set for the namespace of the command, or for all.
func (r *request) eachNamespace(set func(ns *Namespace)) nvme.Status {
	for _, ns := range r.c.drive.namespaces {
		if ns != nil && (ns == r.ns || r.ns == nil && ns.attachedTo(r.c)) {
			set(ns)
		}
	}
	return success
}

func setRecovery(r *request, v uint32, _ []byte) nvme.Status {
	if v&(1<<16) != 0 && r.c.drive.profile.NamespaceFeatures&nvme.DeallocatedError == 0 {
		return r.invalid(11, 16)
	}
	return r.eachNamespace(func(ns *Namespace) { ns.recovery = v })
}

func getRecovery(r *request, _ []byte) uint32 { return r.ns.recovery }

// States of Namespace Write Protection Config: NVMe Base 2.0, 8.12.
const (
	protectNone            = uint32(nvme.NotWriteProtected)
	protectUntilPowerCycle = uint32(nvme.WriteProtectedUntilPower)
	protectForEver         = uint32(nvme.WriteProtectedPermanently)
)

func setWriteProtect(r *request, v uint32, _ []byte) nvme.Status {
	if r.ns == nil || v > protectForEver {
		return r.invalid(11, 0)
	}
	claimed := r.c.drive.profile.Controller.NamespaceWriteProtection
	allowed := [...]bool{true, claimed&1 != 0, claimed&2 != 0, claimed&4 != 0}
	switch now := r.ns.protection; {
	case !allowed[v]:
		return r.invalid(11, 0)
	case now == v:
		return success
	case now == protectUntilPowerCycle || now == protectForEver:
		return nvme.StatusFeatureNotChangeable.WithDNR()
	}
	r.ns.protection = v
	return success
}

func getWriteProtect(r *request, _ []byte) uint32 { return r.ns.protection }
