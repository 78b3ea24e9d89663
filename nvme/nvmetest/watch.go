package nvmetest

import "slices"

// watcher is told of resets.
type watcher struct {
	told func(controller uint16, kind Reset)
}

// OnReset lets told be called at each reset, once for each controller that it
// reaches, when its commands have ended: a transport has to know that the other
// side of it has gone. A loss of power, and a drive that vanishes, count as a
// PowerCycle. The function that is returned ends it.
//
// The drive is locked meanwhile: told must not call its methods, nor wait.
func (d *Drive) OnReset(told func(controller uint16, kind Reset)) (remove func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := &watcher{told}
	d.watchers = append(d.watchers, w)
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.watchers = slices.DeleteFunc(d.watchers, func(other *watcher) bool { return other == w })
	}
}

// tell tells the watchers of a reset.
func (c *Controller) tell(kind Reset) {
	for _, w := range c.drive.watchers {
		w.told(c.id, kind)
	}
}
