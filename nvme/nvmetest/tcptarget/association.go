package tcptarget

import (
	"context"
	"encoding/hex"
	"sync"
	"time"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// association is a host and a controller, from the admin queue's Connect to its
// end. NVMe Base 2.0, 6.3.
type association struct {
	t          *Target
	controller *nvmetest.Controller // nil is a discovery controller
	id         uint16
	host       string // NQN and identifier
	hostID     [16]byte
	ctx        context.Context
	cancel     context.CancelFunc

	mu        sync.Mutex
	queues    map[uint16]*queue
	limit     int // I/O queues
	cc        uint32
	ready     bool // CSTS.RDY was seen
	scanned   bool // the host has looked for namespaces
	count     uint64
	ended     bool
	keepAlive time.Duration
	timer     *time.Timer
	found     discoveryState // of a discovery controller
}

// attach makes the association of a host. It waits for a moment if the host's
// old one is about to end, or no controller is free. It is nil if all are busy.
func (t *Target) attach(q *queue, d *connectData) *association {
	deadline := time.NewTimer(busyTimeout)
	defer deadline.Stop()
	for {
		t.mu.Lock()
		changed := t.changed
		a := t.tryAttach(q, d)
		t.mu.Unlock()
		if a != nil && a.controller != nil {
			a.controller.SetHostID(a.hostID)
		}
		if a != nil {
			return a
		}
		select {
		case <-changed:
		case <-t.stop:
			return nil
		case <-deadline.C:
			return nil
		}
	}
}

// tryAttach is attach without waiting.
func (t *Target) tryAttach(q *queue, d *connectData) *association {
	if t.closed {
		return nil
	}
	a := &association{t: t, host: hostKey(d), hostID: d.HostID, queues: map[uint16]*queue{0: q}, limit: t.o.Queues}
	if d.SubsystemNQN == discoveryNQN {
		t.discovery = t.discovery%0xffe0 + 1
		a.id = t.discovery
		a.found.wake = make(chan struct{})
		t.discoverers[a] = struct{}{}
	} else if a.controller = t.freeController(a.host); a.controller == nil {
		return nil
	} else {
		a.id = a.controller.ID()
		t.associations[a.id] = a
		if len(t.last) < maxConnections {
			t.last[a.host] = a.id
		}
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

// freeController returns the controller for a host: that which it had, or else
// the first that is free.
func (t *Target) freeController(host string) *nvmetest.Controller {
	for _, a := range t.associations {
		if a.host == host && !a.enabled() {
			return nil // it has disabled the controller, and is about to close
		}
	}
	if id := t.last[host]; id != 0 && t.associations[id] == nil {
		return t.drive.Controller(id)
	}
	for id := uint16(1); ; id++ {
		c := t.drive.Controller(id)
		if c == nil || t.associations[id] == nil {
			return c
		}
	}
}

// join adds an I/O queue.
func (a *association) join(q *queue, id uint16) nvme.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.ended || a.cc&ccEnable == 0 || a.queues[id] != nil:
		return sequenceError
	case int(id) > a.limit:
		return nvme.StatusInvalidQueueID.WithDNR()
	}
	a.queues[id] = q
	return nvme.StatusSuccess
}

// leave removes an I/O queue that the host has closed.
func (a *association) leave(q *queue) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.queues[q.id] == q {
		delete(a.queues, q.id)
	}
}

// end ends the association: the controller is reset, if it was enabled, and all
// connections are closed. NVMe Base 2.0, 3.3.2.4.
func (a *association) end(why string) {
	enabled, first := a.disconnect()
	if !first {
		return
	}
	// The reset comes before the context ends: an end without it would be a
	// timeout to the drive.
	if enabled && a.controller != nil {
		a.controller.Reset(nvmetest.ControllerReset)
	}
	a.forget(why)
}

// lose ends an association whose controller was reset already.
func (a *association) lose(why string) {
	if _, first := a.disconnect(); first {
		a.forget(why)
	}
}

// disconnect closes all connections, unless that was done before, and reports
// whether the controller was enabled.
func (a *association) disconnect() (enabled, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return false, false
	}
	a.ended = true
	enabled = a.cc&ccEnable != 0
	a.cc = 0
	a.count++
	if a.timer != nil {
		a.timer.Stop()
	}
	for _, q := range a.queues {
		_ = q.conn.Close()
	}
	return enabled, true
}

// forget lets go of an association that is disconnected.
func (a *association) forget(why string) {
	a.cancel()
	a.t.o.Logf("tcptarget: controller %d: association ended: %s", a.id, why)
	t := a.t
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.discoverers, a)
	if t.associations[a.id] == a {
		delete(t.associations, a.id)
	}
	t.stir()
}

// scan is that the host looks for namespaces, which it does when it has all its
// queues.
func (a *association) scan() {
	a.mu.Lock()
	first := !a.scanned
	a.scanned = true
	a.mu.Unlock()
	if first {
		a.t.mu.Lock()
		defer a.t.mu.Unlock()
		a.t.stir()
	}
}

// stir lets those look again who wait for an association. The target is locked.
func (t *Target) stir() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// connecting reports whether a host has enabled a controller, and not looked for
// namespaces yet. It may be another once changed is closed.
func (t *Target) connecting(controller uint16) (changed <-chan struct{}, yes bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.associations[controller]
	if a == nil {
		return t.changed, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return t.changed, a.cc&ccEnable != 0 && !a.scanned
}

// generation counts the controller's resets: a command of an older one is not
// answered any more.
func (a *association) generation() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.count
}

// enabled reports whether the controller takes commands.
func (a *association) enabled() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cc&ccEnable != 0 && a.cc&ccShutdown == 0
}

// setKeepAlive sets the keep alive timeout in ms; 0 is none. It is rounded up to
// the granularity.
func (a *association) setKeepAlive(ms uint32) {
	unit := uint64(a.t.profile.Controller.KeepAliveGranularity)
	if unit == 0 {
		unit = keepAliveUnits
	}
	unit *= 100
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	a.keepAlive = time.Duration((uint64(ms)+unit-1)/unit*unit) * time.Millisecond
	if a.keepAlive > 0 && !a.ended {
		a.timer = time.AfterFunc(a.keepAlive, func() { a.end("keep alive timeout") })
	}
}

// alive is a sign of life.
func (a *association) alive() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil && !a.ended {
		a.timer.Reset(a.keepAlive)
	}
}

// limitQueues lowers what Number of Queues has granted to what the target takes.
func (a *association) limitQueues(result uint64) uint64 {
	n := min(uint64(a.t.o.Queues-1), result&0xffff, result>>16&0xffff)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limit = int(n) + 1
	return n | n<<16
}

// hostKey names a host.
func hostKey(d *connectData) string { return d.HostNQN + " " + hex.EncodeToString(d.HostID[:]) }
