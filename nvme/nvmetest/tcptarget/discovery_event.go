package tcptarget

import "github.com/drivebay/drivebay/nvme"

// discoveryChange is the event that the discovery log page has changed: NVMe Base
// 2.0, Figure 152. Its bit in OAES and Asynchronous Event Configuration is 31.
const (
	discoveryChange    = 0x70_f0_02
	discoveryChangeBit = 1 << 31
)

// discoveryState is that of a discovery controller.
type discoveryState struct {
	enabled uint32 // Asynchronous Event Configuration
	pending bool   // there is an event
	masked  bool   // it was reported, and the log page not read since
	waiting int    // Asynchronous Event Requests
	wake    chan struct{}
}

// announce tells the discovery controllers that what there is to discover has
// changed.
func (t *Target) announce() {
	t.mu.Lock()
	t.generation++
	discoverers := make([]*association, 0, len(t.discoverers))
	for a := range t.discoverers {
		discoverers = append(discoverers, a)
	}
	t.mu.Unlock()
	for _, a := range discoverers {
		a.mu.Lock()
		if a.found.enabled&discoveryChangeBit != 0 && !a.found.masked {
			a.found.pending = true
			a.found.stir()
		}
		a.mu.Unlock()
	}
}

// discoveryGeneration is GENCTR.
func (t *Target) discoveryGeneration() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.generation
}

// stir lets waiting requests look again.
func (s *discoveryState) stir() {
	close(s.wake)
	s.wake = make(chan struct{})
}

// discoverEvent carries out an Asynchronous Event Request: one at a time.
func (a *association) discoverEvent() nvme.Completion {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &a.found
	if s.waiting > 0 {
		return nvme.Completion{Status: nvme.StatusAsyncEventLimit.WithDNR()}
	}
	s.waiting++
	defer func() { s.waiting-- }()
	for !s.pending {
		wake := s.wake
		a.mu.Unlock()
		select {
		case <-wake:
		case <-a.ctx.Done():
		}
		a.mu.Lock()
		if a.ctx.Err() != nil {
			return nvme.Completion{Status: nvme.StatusAbortedByHost}
		}
	}
	s.pending, s.masked = false, true
	return nvme.Completion{Result: discoveryChange}
}

// discoverRead is that the log page was read: there may be events again.
func (a *association) discoverRead() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.found.masked = false
}
