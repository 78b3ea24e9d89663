package nvmetest

import (
	"fmt"
	"math"
	"syscall"
	"time"

	"github.com/drivebay/drivebay/nvme"
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

// Detach takes the namespace from every controller, and Attach gives it to all (a
// private one to the first), as another host may do by Namespace Attachment. The
// controllers post that the namespace has changed.
func (n *Namespace) Detach() { n.attach(false) }

// Attach is the other way round; see [Namespace.Detach].
func (n *Namespace) Attach() { n.attach(true) }

func (n *Namespace) attach(yes bool) {
	n.drive.mu.Lock()
	defer n.drive.mu.Unlock()
	for _, c := range n.drive.controllers {
		switch {
		case n.attachedTo(c) == yes, yes && n.private && c.id > 1:
			continue
		case yes:
			n.attached[c.id] = true
		default:
			delete(n.attached, c.id)
			c.selfTest.abortFor(c, n.id, nvme.SelfTestAbortedNamespace)
		}
		c.namespaceChanged(n.id)
	}
}
