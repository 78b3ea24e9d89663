package nvmetest

import (
	"fmt"
	"math"
	"syscall"
	"time"
)

// Never is how long it takes a controller to become ready that does not, by
// itself: its firmware is [NeverReady].
const Never time.Duration = math.MaxInt64

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
	if c.readyAt == Never {
		return Never, nil
	}
	return max(c.readyAt-d.now, 0), nil
}
