package nvmetest

import (
	"bytes"
	"slices"
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// feature describes a feature: NVMe Base 2.0, 5.27.1.
type feature struct {
	size       int    // bytes of data; then the value is not in a dword
	value      uint32 // the default
	used       uint32 // bits of CDW11 that mean something
	selector   uint32 // bits of CDW11 that choose one of several values
	fixed      bool   // not changeable
	namespace  bool   // each namespace has its own
	unsaveable bool
	// check refuses values; set stores one elsewhere than in the store, and get
	// fetches it from there.
	check func(r *request, value uint32, data []byte) nvme.Status
	set   func(r *request, value uint32, data []byte) nvme.Status
	get   func(r *request, data []byte) uint32
}

// mandatoryFeatures are those of every controller; the rest is by the profile.
var mandatoryFeatures = []nvme.FeatureID{
	nvme.FeatureArbitration, nvme.FeaturePowerManagement, nvme.FeatureTemperatureThreshold, nvme.FeatureErrorRecovery,
	nvme.FeatureNumberOfQueues, nvme.FeatureInterruptCoalescing, nvme.FeatureInterruptVector, nvme.FeatureWriteAtomicity,
	nvme.FeatureAsyncEvents,
}

// describeFeatures returns the features that the drive has.
func (c *Controller) describeFeatures() map[nvme.FeatureID]*feature {
	d := c.drive
	id := &d.profile.Controller
	all := map[nvme.FeatureID]*feature{
		nvme.FeatureArbitration:           {value: 0, used: 0xffff_ff07},
		nvme.FeaturePowerManagement:       {used: 0xff, check: checkPowerState},
		nvme.FeatureTemperatureThreshold:  {used: 0x3f_ffff, set: setThreshold, get: getThreshold, unsaveable: true},
		nvme.FeatureErrorRecovery:         {used: 0x1_ffff, namespace: true, unsaveable: true, set: setRecovery, get: getRecovery},
		nvme.FeatureVolatileWriteCache:    {value: 1, used: 1},
		nvme.FeatureNumberOfQueues:        {value: 0x0007_0007, used: all32, unsaveable: true, check: checkQueues},
		nvme.FeatureInterruptCoalescing:   {used: 0xffff},
		nvme.FeatureInterruptVector:       {used: 0x1_ffff, selector: 0xffff, check: checkVector},
		nvme.FeatureWriteAtomicity:        {used: 1},
		nvme.FeatureAsyncEvents:           {used: 0x0800_ffff},
		nvme.FeatureAutonomousPowerStates: {size: 256, used: 1},
		nvme.FeatureHostMemoryBuffer:      {size: 4096, used: 3, unsaveable: true, check: checkHostMemory, get: getHostMemory},
		nvme.FeatureTimestamp:             {size: 8, unsaveable: true, set: setTimestamp, get: getTimestamp},
		nvme.FeatureKeepAlive:             {used: all32, unsaveable: true},
		nvme.FeatureThermalManagement:     {used: all32, check: checkThermal},
		nvme.FeatureNonOperationalPower:   {value: 1, used: 1},
		nvme.FeatureReadRecoveryLevel:     {value: 4, used: 0xffff, selector: 0xffff},
		nvme.FeatureHostBehavior:          {size: 512, unsaveable: true, check: checkHostBehavior},
		nvme.FeatureSanitizeConfig:        {value: 1, used: 1},
		nvme.FeatureEnduranceEvents:       {used: 0xff_ffff, selector: 0xffff},
		nvme.FeatureSoftwareProgress:      {used: 0xff},
		nvme.FeatureHostID:                {size: 8, used: 1, unsaveable: true, set: setHostID, get: getHostID},
		nvme.FeatureReservationMask:       {used: 0xe, namespace: true, unsaveable: true, set: setReservationMask, get: getReservationMask},
		nvme.FeatureReservationPersist:    {used: 1, namespace: true, unsaveable: true, set: setReservationPersist, get: getReservationPersist},
		nvme.FeatureWriteProtect:          {used: 7, namespace: true, unsaveable: true, set: setWriteProtect, get: getWriteProtect},
	}
	if !d.profile.since(nvme.Version1_3) || id.Attributes&nvme.HostID128 == 0 {
		all[nvme.FeatureHostID].used = 0
	}
	has := make(map[nvme.FeatureID]*feature)
	for _, f := range slices.Concat(mandatoryFeatures, d.profile.Features) {
		if known := all[f]; known != nil {
			has[f] = known
		}
	}
	return has
}

// featureValue is a value in the store: a dword, or data.
type featureValue struct {
	value uint32
	data  []byte
}

// featureKey tells the values of a feature apart that has several.
type featureKey struct {
	id       nvme.FeatureID
	selector uint32
}

// featureStore holds a controller's features.
type featureStore struct {
	known      map[nvme.FeatureID]*feature
	current    map[featureKey]featureValue
	saved      map[featureKey]featureValue
	sensor     [9][2]nvme.Temperature // over and under; the first is the composite temperature
	clock      time.Duration          // when Timestamp was set, or the reset
	clockValue uint64                 // to how many milliseconds
	clockSet   bool
	events     uint32 // Asynchronous Event Configuration, as it is asked for often
}

func (s *featureStore) init(c *Controller) {
	s.known, s.saved = c.describeFeatures(), make(map[featureKey]featureValue)
}

// reset is what a controller level reset does: saved values, or else defaults,
// become current.
func (s *featureStore) reset(c *Controller) {
	s.current = make(map[featureKey]featureValue)
	for k, v := range s.saved {
		s.current[k] = v
	}
	s.sensor = [9][2]nvme.Temperature{{c.drive.profile.Controller.WarningTemperature, 0}}
	for i := 1; i < len(s.sensor); i++ {
		s.sensor[i] = [2]nvme.Temperature{0xffff, 0}
	}
	s.clock, s.clockValue, s.clockSet = c.drive.now, 0, false
	s.events = s.current[featureKey{nvme.FeatureAsyncEvents, 0}].value
	c.hostID = [16]byte{}
	for _, ns := range c.drive.namespaces {
		if ns != nil {
			ns.recovery = 0
		}
	}
}

func (s *featureStore) asyncEvents() uint32 { return s.events }

func (s *featureStore) thresholds() (over, under nvme.Temperature) {
	return s.sensor[0][0], s.sensor[0][1]
}

// writeCacheEnabled reports whether Volatile Write Cache is on.
func (s *featureStore) writeCacheEnabled() bool {
	v, ok := s.current[featureKey{nvme.FeatureVolatileWriteCache, 0}]
	return !ok || v.value&1 != 0
}

// extendedFormats reports whether the host knows of more than 16 LBA formats.
func (s *featureStore) extendedFormats() bool {
	v, ok := s.current[featureKey{nvme.FeatureHostBehavior, 0}]
	return ok && len(v.data) > 2 && v.data[2] == 1
}

// feature returns the feature that the command is about. None has a UUID index;
// the host memory buffer has an address there.
func (r *request) feature() (*feature, nvme.Status) {
	id := nvme.FeatureID(r.cmd.CDW10)
	f := r.c.features.known[id]
	if f == nil {
		return nil, r.invalid(10, 0)
	}
	if r.cmd.CDW14 != 0 && (id != nvme.FeatureHostMemoryBuffer || r.cmd.Opcode != nvme.AdminSetFeatures) {
		return nil, r.invalid(14, 0)
	}
	return f, success
}

// featureBytes returns the bytes of the feature's data: those of the Host Identifier
// depend on EXHID.
func (r *request) featureBytes(f *feature) int {
	if nvme.FeatureID(r.cmd.CDW10) == nvme.FeatureHostID && r.cmd.CDW11&1 != 0 {
		return 16
	}
	return f.size
}

// getFeatures carries out a Get Features: NVMe Base 2.0, 5.15.
func getFeatures(r *request) nvme.Status {
	f, s := r.feature()
	if s != success {
		return s
	}
	sel := r.cmd.CDW10 >> 8 & 7
	if sel > 3 || sel != 0 && r.c.drive.profile.Controller.NVMCommands&nvme.SupportsFeatureSave == 0 {
		return r.invalid(10, 8)
	}
	if sel == 3 {
		return r.featureCapabilities(f)
	}
	if f.namespace {
		if s := r.active(); s != success {
			return s
		}
	} // or else it is not looked at: hosts send that of their device node
	if extra := r.cmd.CDW11 &^ (f.selector | f.used); extra != 0 {
		return r.invalid(11, 0)
	}
	if s := r.transfer(r.featureBytes(f)); s != success {
		return s
	}
	key := featureKey{nvme.FeatureID(r.cmd.CDW10), r.cmd.CDW11 & f.selector}
	if sel == 0 && f.get != nil {
		r.result = uint64(f.get(r, r.cmd.Data))
		return success
	}
	v, ok := r.c.features.current[key]
	if sel == 2 {
		v, ok = r.c.features.saved[key]
	}
	if !ok || sel == 1 {
		v = featureValue{value: f.value | key.selector}
	}
	r.result = uint64(v.value)
	clear(r.cmd.Data[copy(r.cmd.Data, v.data):])
	return success
}

func (r *request) featureCapabilities(f *feature) nvme.Status {
	if s := r.transfer(0); s != success {
		// A host may have a buffer ready for the value; nothing goes into it.
		clear(r.cmd.Data)
	}
	var caps nvme.FeatureCapabilities
	if !f.unsaveable {
		caps |= nvme.FeatureSaveable
	}
	if f.namespace {
		caps |= nvme.FeatureNamespaced
	}
	if !f.fixed {
		caps |= nvme.FeatureChangeable
	}
	r.result = uint64(caps)
	return success
}

// setFeatures carries out a Set Features: NVMe Base 2.0, 5.27.
func setFeatures(r *request) nvme.Status {
	cmd := &r.cmd
	f, s := r.feature()
	if s != success {
		return s
	}
	save := cmd.CDW10&(1<<31) != 0
	switch {
	case f.fixed:
		return nvme.StatusFeatureNotChangeable.WithDNR()
	case save && (f.unsaveable || r.c.drive.profile.Controller.NVMCommands&nvme.SupportsFeatureSave == 0):
		return nvme.StatusFeatureNotSaveable.WithDNR()
	case !f.namespace && cmd.NSID != 0 && cmd.NSID != nvme.BroadcastNSID:
		return nvme.StatusFeatureNotPerNamespace.WithDNR()
	case cmd.CDW11&^f.used != 0:
		return r.invalid(11, 0)
	case nvme.FeatureID(cmd.CDW10) != nvme.FeatureHostMemoryBuffer && cmd.CDW12|cmd.CDW13|cmd.CDW15 != 0:
		return r.invalid(12, 0)
	}
	size := r.featureBytes(f)
	if nvme.FeatureID(cmd.CDW10) == nvme.FeatureHostMemoryBuffer { // its data is its own memory
		size = 0
	}
	if s := r.transfer(size); s != success {
		return s
	}
	if f.namespace && cmd.NSID != nvme.BroadcastNSID {
		if s := r.active(); s != success {
			return s
		}
	}
	if f.check != nil {
		if s := f.check(r, cmd.CDW11, cmd.Data); s != success {
			return s
		}
	}
	if f.set != nil {
		return f.set(r, cmd.CDW11, cmd.Data)
	}
	return r.c.storeFeature(r, f, save)
}

// storeFeature keeps a value that nothing else depends on at once.
func (c *Controller) storeFeature(r *request, f *feature, save bool) nvme.Status {
	id := nvme.FeatureID(r.cmd.CDW10)
	key := featureKey{id, r.cmd.CDW11 & f.selector}
	v := featureValue{value: r.cmd.CDW11}
	if f.size > 0 {
		v.data = bytes.Clone(r.cmd.Data)
	}
	if id == nvme.FeatureNumberOfQueues {
		v.value = min(v.value&0xffff, f.value&0xffff) | min(v.value>>16, f.value>>16)<<16
		r.result = uint64(v.value)
	}
	c.features.current[key] = v
	if save {
		c.features.saved[key] = v
	}
	if id == nvme.FeatureAsyncEvents {
		c.features.events = v.value
	}
	c.drive.persistent.setFeature(c, r)
	return success
}
