package nvmetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest/internal/inject"
)

// Drive is an emulated NVM subsystem. Its methods may be called from several
// goroutines.
type Drive struct {
	mu      sync.Mutex
	profile Profile
	now     time.Duration
	timers  []timer // in the order they fire in
	serial  uint64  // of the next timer

	commands    [2][256]*command // by nvme.Queue and opcode; nil is not supported
	controllers []*Controller
	namespaces  []*Namespace // index is NSID-1; nil is not allocated
	formats     []nvme.LBAFormat

	firmware   firmwareStore
	sanitize   sanitizeState
	health     health
	telemetry  telemetry
	persistent persistentLog

	current request // the request being executed: on the hot path it must not be allocated
	journal journal
	faults  inject.List[activeFault]

	watchers []*watcher
	off      bool // powered off
	gone     bool // does not answer, by a fault
}

// timer calls fire when the clock gets to at.
type timer struct {
	at     time.Duration
	serial uint64
	fire   func()
}

// New returns a drive, powered on and ready. Each change may alter the profile
// first. A profile that contradicts itself is an error.
func New(p Profile, changes ...func(*Profile)) (*Drive, error) {
	p = p.clone()
	for _, change := range changes {
		change(&p)
	}
	if err := p.complete(); err != nil {
		return nil, fmt.Errorf("nvmetest: profile %q: %w", p.Name, err)
	}
	d := &Drive{profile: p, namespaces: make([]*Namespace, p.Controller.NamespaceCount), formats: p.Formats}
	d.journal.limit = p.JournalLimit
	d.commands = d.supportedCommands()
	for i := range p.Controllers {
		d.controllers = append(d.controllers, newController(d, i))
	}
	d.firmware.init(d)
	d.sanitize.init()
	d.health.init()
	for i := range p.Namespaces {
		if err := d.addNamespace(p.Namespaces[i]); err != nil {
			return nil, fmt.Errorf("nvmetest: profile %q: namespace %d: %w", p.Name, i+1, err)
		}
	}
	for _, c := range d.controllers {
		c.resetState()
		c.readyAt = 0
	}
	return d, nil
}

// Profile returns the profile that the drive was made by.
func (d *Drive) Profile() Profile { return d.profile.clone() }

// Controller returns the controller with an identifier (CNTLID); the first has
// 1. It is nil if there is none.
func (d *Drive) Controller(id uint16) *Controller {
	if id == 0 || int(id) > len(d.controllers) {
		return nil
	}
	return d.controllers[id-1]
}

// Submit implements nvme.Transport, by the first controller.
func (d *Drive) Submit(ctx context.Context, cmd nvme.Command) (nvme.Completion, error) {
	return d.controllers[0].Submit(ctx, cmd)
}

// Operate implements nvme.Operator, by the first controller.
func (d *Drive) Operate(ctx context.Context, op nvme.Operation) error {
	return d.controllers[0].Operate(ctx, op)
}

// NamespaceUsers is that of the first controller.
func (d *Drive) NamespaceUsers(nsid uint32) ([]string, error) {
	return d.controllers[0].NamespaceUsers(nsid)
}

// Now returns how far the drive's clock has got since it was made.
func (d *Drive) Now() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// Advance lets time pass. Whatever comes due meanwhile happens in its order.
// Time does not run backwards: a negative duration passes none.
func (d *Drive) Advance(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.advanceTo(d.now + max(by, 0))
}

// Wait lets time pass, as Advance does, unless the context is over. It is how
// the procedures of package nvme wait when they run on an emulated drive.
func (d *Drive) Wait(ctx context.Context, by time.Duration) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	d.Advance(by)
	return nil
}

// advanceTo moves the clock, stopping at each timer on the way.
func (d *Drive) advanceTo(target time.Duration) {
	for len(d.timers) > 0 && d.timers[0].at <= target {
		t := d.timers[0]
		d.timers = slices.Delete(d.timers, 0, 1)
		d.pass(t.at)
		t.fire()
	}
	d.pass(target)
}

// pass moves the clock over a stretch in which nothing happens.
func (d *Drive) pass(to time.Duration) {
	if to <= d.now {
		return
	}
	if !d.off {
		d.health.run(d, to-d.now)
	}
	d.now = to
}

// at lets fire be called when the clock gets to when. Timers of the same moment
// fire in the order they were set.
func (d *Drive) at(when time.Duration, fire func()) {
	d.serial++
	t := timer{max(when, d.now), d.serial, fire}
	i, _ := slices.BinarySearchFunc(d.timers, t, func(a, b timer) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.serial, b.serial))
	})
	d.timers = slices.Insert(d.timers, i, t)
}

// notify tells every controller of an event.
func (d *Drive) notify(e Event) {
	for _, c := range d.controllers {
		c.post(e)
	}
}
