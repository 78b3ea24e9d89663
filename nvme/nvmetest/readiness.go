package nvmetest

import (
	"fmt"
	"syscall"
	"time"
)

// ReadyIn returns how long on the drive's clock the controller still takes no
// commands, after a reset or while it activates firmware: what CSTS.RDY and
// CSTS.PP are about, for transports that have such registers. 0 is ready. A drive
// that is off or gone is syscall.ENODEV.
func (c *Controller) ReadyIn() (time.Duration, error) {
	d := c.drive
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off || d.gone {
		return 0, fmt.Errorf("nvmetest: controller %d: %w", c.id, syscall.ENODEV)
	}
	return max(c.readyAt-d.now, 0), nil
}

// Attached reports whether the namespace is attached to a controller.
func (n *Namespace) Attached() bool {
	n.drive.mu.Lock()
	defer n.drive.mu.Unlock()
	for _, yes := range n.attached {
		if yes {
			return true
		}
	}
	return false
}
