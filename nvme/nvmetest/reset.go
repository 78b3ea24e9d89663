package nvmetest

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/drivebay/drivebay/nvme"
)

// Reset is a kind of reset, the weaker first: each does what those before it
// do.
type Reset uint8

// Resets.
const (
	// ControllerReset is CC.EN going to 0.
	ControllerReset Reset = iota + 1
	// ConventionalReset is one of the PCI Express link; all controllers see it.
	ConventionalReset
	// SubsystemReset is NSSR.
	SubsystemReset
	// PowerCycle is a loss of power.
	PowerCycle
)

// String names the reset.
func (r Reset) String() string {
	switch r {
	case ControllerReset:
		return "controller reset"
	case ConventionalReset:
		return "conventional reset"
	case SubsystemReset:
		return "NVM subsystem reset"
	case PowerCycle:
		return "power cycle"
	}
	return fmt.Sprintf("reset %d", uint8(r))
}

// Reset resets the drive. A [ControllerReset] resets its first controller;
// [Controller.Reset] resets another. A drive that is off or gone stays so.
func (d *Drive) Reset(kind Reset) { d.controllers[0].Reset(kind) }

// Reset resets the controller, and by any kind but [ControllerReset] all of the
// drive. Commands under way end with nvme.StatusAbortedByHost.
func (c *Controller) Reset(kind Reset) {
	d := c.drive
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.off || d.gone:
	case kind <= ControllerReset:
		c.reset()
	default:
		d.reset(kind)
	}
}

// PowerOff takes the power away. The host was not asked to shut the drive down,
// so that SMART counts it as unsafe. What is in volatile write caches is lost.
func (d *Drive) PowerOff() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.powerOff(nil) // media that fails has kept what it has
}

// PowerOn brings the power back.
func (d *Drive) PowerOn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.powerOn()
}

func (d *Drive) powerOff(survives func(w CachedWrite) bool) (err error) {
	if d.off {
		return nil
	}
	d.happened(0, "power off")
	for _, c := range d.controllers {
		c.abort(func(p *pending) { p.fail(errGone(&p.r.cmd)) })
	}
	d.health.unsafeShutdowns++
	d.off = true
	for _, ns := range d.namespaces {
		if ns != nil && ns.cache != nil {
			err = errors.Join(err, ns.cache.lose(survives))
		}
	}
	for _, c := range d.controllers {
		c.tell(PowerCycle)
	}
	return err
}

func (d *Drive) powerOn() {
	if !d.off {
		return
	}
	d.off = false
	d.happened(0, "power on")
	d.health.powerCycles++
	for _, ns := range d.namespaces {
		if ns != nil {
			ns.powerCycle()
		}
	}
	d.resetAll(PowerCycle)
}

// reset resets all controllers.
func (d *Drive) reset(kind Reset) {
	if kind == PowerCycle {
		_ = d.powerOff(nil) // media that fails has kept what it has
		d.powerOn()
		return
	}
	d.happened(0, "%v", kind)
	d.resetAll(kind)
}

func (d *Drive) resetAll(kind Reset) {
	for _, c := range d.controllers {
		c.resetState()
		c.selfTest.reset(c)
	}
	d.afterReset(kind)
	for _, c := range d.controllers {
		c.tell(kind)
	}
}

// reset resets one controller.
func (c *Controller) reset() {
	c.drive.happened(c.id, "%v", ControllerReset)
	c.resetState()
	c.selfTest.reset(c)
	c.drive.afterReset(ControllerReset)
	c.tell(ControllerReset)
}

// afterReset does what a reset of any controller means for the NVM subsystem.
func (d *Drive) afterReset(kind Reset) {
	d.firmware.reset(d, kind)
	d.persistent.add(d, 0, nvme.EventPowerOnOrReset, d.powerOnEvent())
}

// resetState is what every controller level reset does to a controller.
func (c *Controller) resetState() {
	c.abort(func(p *pending) { p.end(nvme.StatusAbortedByHost) })
	c.features.reset(c)
	c.events.clear()
	c.readyAt = c.drive.now + c.drive.profile.ReadyTime
}

// abort ends every command that is under way.
func (c *Controller) abort(end func(p *pending)) {
	for _, p := range slices.Clone(c.pending) {
		end(p)
	}
}

// vanish lets the drive be gone.
func (d *Drive) vanish() {
	d.happened(0, "the drive is gone")
	d.gone = true
	for _, c := range d.controllers {
		c.abort(func(p *pending) {
			p.fail(fmt.Errorf("nvmetest: %s: %w", p.r.cmd.Name(), syscall.ENODEV))
		})
		c.tell(PowerCycle)
	}
}
