package tcptarget

import "github.com/drivebay/drivebay/nvme/nvmetest"

// driveReset is told of every reset of the drive. One that the association's own
// host has not asked for ends it, as there is nothing any more that would know of
// it. The drive is locked.
func (t *Target) driveReset(controller uint16, kind nvmetest.Reset) {
	if kind == nvmetest.PowerCycle && controller == 1 {
		t.announce()
	}
	t.mu.Lock()
	a := t.associations[controller]
	t.mu.Unlock()
	if a == nil || kind == nvmetest.ControllerReset && !a.enabled() {
		return
	}
	a.lose(kind.String())
}

// powered reports whether the drive has power, and is there.
func (t *Target) powered() bool {
	_, err := t.drive.Controller(1).ReadyIn()
	return err == nil
}
