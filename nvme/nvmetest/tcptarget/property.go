package tcptarget

import (
	"time"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/internal/wire"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// Fields of CC: NVMe Base 2.0, 3.1.3.5.
const (
	ccEnable     = 1
	ccShutdown   = 3 << 14 // SHN
	ccEntrySizes = 6<<16 | 4<<20
	ccKnown      = ccEnable | ccShutdown | 0xff<<16
)

// Fields of CSTS: NVMe Base 2.0, 3.1.3.6.
const (
	cstsReady    = 1
	cstsFatal    = 1 << 1
	cstsShutdown = 2 << 2 // SHST: complete
	cstsPaused   = 1 << 5
)

// subsystemResetKey is "NVMe", which NSSR wants.
const subsystemResetKey = 0x4e564d65

// property carries out a Property Get or Set: NVMe Base 2.0, 6.4 and 6.5.
func (a *association) property(e *wire.SQE) nvme.Completion {
	var c propertyCommand
	if fields(e, c.walk) != nil || c.Attributes > 1 {
		return nvme.Completion{Status: invalidField}
	}
	wide := c.Attributes == 1
	set := uint8(e.NSID) == fabricsPropertySet
	switch {
	case set && c.Offset == propertyCC && !wide && c.Value <= 1<<32-1:
		return nvme.Completion{Status: a.configure(uint32(c.Value))}
	case set && c.Offset == propertyNSSR && !wide && a.controller != nil && a.t.profile.SubsystemReset:
		return nvme.Completion{} // done once it is answered
	case set || c.Value != 0:
	case c.Offset == propertyCAP && wide:
		return nvme.Completion{Result: a.t.capabilities()}
	case c.Offset == propertyVS && !wide:
		return nvme.Completion{Result: uint64(a.t.version())}
	case c.Offset == propertyCC && !wide:
		a.mu.Lock()
		defer a.mu.Unlock()
		return nvme.Completion{Result: uint64(a.cc)}
	case c.Offset == propertyCSTS && !wide:
		return nvme.Completion{Result: a.status()}
	case c.Offset == propertyNSSR && !wide && a.t.profile.SubsystemReset:
		return nvme.Completion{}
	}
	return nvme.Completion{Status: invalidField}
}

// version is VS. What is older than NVMe 1.2 has no fabrics.
func (t *Target) version() nvme.Version { return max(t.profile.Controller.Version, nvme.Version1_2) }

// readyUnit is that of CAP.TO.
const readyUnit = 500 * time.Millisecond

// capabilities is CAP: NVMe Base 2.0, 3.1.3.1.
func (t *Target) capabilities() uint64 {
	timeout := min(max((t.profile.ReadyTime+readyUnit-1)/readyUnit, t.o.ReadyTimeout/readyUnit), 255)
	c := uint64(queueDepth-1) | 1<<16 | uint64(timeout)<<24 | 1<<37 // MQES, CQR, TO, CSS: NVM
	if t.profile.SubsystemReset {
		c |= 1 << 36
	}
	return c
}

// configure sets CC. Values that a controller does not support are refused.
func (a *association) configure(cc uint32) nvme.Status {
	if cc&^ccKnown != 0 || cc&ccShutdown == ccShutdown || cc&ccEnable != 0 && cc&(0xff<<16) != ccEntrySizes {
		return invalidField
	}
	a.mu.Lock()
	before := a.cc
	a.cc = cc
	disabled := before&ccEnable != 0 && cc&ccEnable == 0
	if disabled {
		a.ready = false
		a.count++
	}
	a.mu.Unlock()
	if disabled && a.controller != nil {
		a.controller.Reset(nvmetest.ControllerReset)
		a.controller.SetHostID(a.hostID) // it is the association's
	}
	return nvme.StatusSuccess
}

// status is CSTS. Where the drive lets its own time pass, it is ready as soon as
// somebody looks.
func (a *association) status() (csts uint64) {
	var in time.Duration
	if a.controller != nil {
		var err error
		if in, err = a.controller.ReadyIn(); err != nil {
			return cstsFatal
		}
		if in > 0 && in != nvmetest.Never && !a.t.profile.Stepped {
			a.t.drive.Advance(in)
			in = 0
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cc&ccShutdown != 0 {
		csts |= cstsShutdown
	}
	if a.cc&ccEnable == 0 {
		return csts
	}
	a.ready = a.ready || in == 0
	if a.ready {
		csts |= cstsReady
		if in > 0 { // it activates firmware
			csts |= cstsPaused
		}
	}
	return csts
}
