package nvmetest

import (
	"slices"

	"github.com/drivebay/drivebay/nvme"
)

// Event is an asynchronous event as DW0 of the Asynchronous Event Request's
// completion has it: NVMe Base 2.0, 5.2.1.
type Event uint32

// Asynchronous events.
const (
	EventImageLoadError    Event = 0x0001_05_00 // error: firmware image load error
	EventReliability       Event = 0x0002_00_01 // SMART: NVM subsystem reliability
	EventTemperature       Event = 0x0002_01_01 // SMART: temperature threshold
	EventSpare             Event = 0x0002_02_01 // SMART: spare below threshold
	EventNamespaceChanged  Event = 0x0004_00_02 // notice: namespace attribute changed
	EventANAChanged        Event = 0x000c_03_02 // notice: asymmetric namespace access changed
	EventFirmwareStarting  Event = 0x0003_01_02 // notice: firmware activation starting
	EventTelemetryChanged  Event = 0x0008_02_02 // notice: telemetry log changed
	EventReservation       Event = 0x0080_00_06 // I/O command specific: reservation log page available
	EventSanitizeCompleted Event = 0x0081_01_06 // I/O command specific: sanitize operation completed
)

// Type returns the event type.
func (e Event) Type() uint8 { return uint8(e & 7) }

// Info returns the event information, which depends on the type.
func (e Event) Info() uint8 { return uint8(e >> 8) }

// LogPage returns the log page that says more, and that has to be read before
// there are more such events.
func (e Event) LogPage() nvme.LogPageID { return nvme.LogPageID(e >> 16) }

// enabledBy returns the bit of Asynchronous Event Configuration that the event
// needs; 0 is none.
func (e Event) enabledBy() uint32 {
	switch e {
	case EventReliability:
		return uint32(nvme.WarnReliability)
	case EventTemperature:
		return uint32(nvme.WarnTemperature)
	case EventSpare:
		return uint32(nvme.WarnSpare)
	case EventNamespaceChanged:
		return 1 << 8
	case EventFirmwareStarting:
		return 1 << 9
	case EventTelemetryChanged:
		return 1 << 10
	case EventANAChanged:
		return 1 << 11
	}
	return 0
}

// eventQueue holds events that nobody has fetched, and requests for them.
type eventQueue struct {
	queued  []Event
	masked  []Event // reported; the log page has not been read since
	waiting []*pending
}

func (q *eventQueue) clear() { *q = eventQueue{} }

// Events returns the events that wait for an Asynchronous Event Request, the
// oldest first, and leaves them.
func (c *Controller) Events() []Event {
	c.drive.mu.Lock()
	defer c.drive.mu.Unlock()
	return slices.Clone(c.events.queued)
}

// post tells the controller of an event, if it is enabled and was not told
// already. NVMe Base 2.0, 5.2: an event type stays masked from its report until
// the log page is read.
func (c *Controller) post(e Event) {
	if bit := e.enabledBy(); bit != 0 && c.features.asyncEvents()&bit == 0 {
		return
	}
	if slices.Contains(c.events.queued, e) || slices.Contains(c.events.masked, e) {
		return
	}
	c.events.queued = append(c.events.queued, e)
	c.deliver()
}

// deliver answers requests with events.
func (c *Controller) deliver() {
	q := &c.events
	for len(q.queued) > 0 && len(q.waiting) > 0 {
		e, p := q.queued[0], q.waiting[0]
		q.queued, q.waiting = q.queued[1:], q.waiting[1:]
		q.masked = append(q.masked, e)
		p.r.result = uint64(e)
		p.end(success)
	}
}

// unmask lets events of a log page come again, as it has been read.
func (c *Controller) unmask(page nvme.LogPageID) {
	c.events.masked = slices.DeleteFunc(c.events.masked, func(e Event) bool { return e.LogPage() == page })
}

// asyncEvent carries out an Asynchronous Event Request: NVMe Base 2.0, 5.2. It
// stays outstanding until there is an event.
func asyncEvent(r *request) nvme.Status {
	if s := r.transfer(0); s != success {
		return s
	}
	c := r.c
	q := &c.events
	if len(q.waiting) > int(c.drive.profile.Controller.AsyncEventLimit) {
		return nvme.StatusAsyncEventLimit.WithDNR()
	}
	if len(q.queued) > 0 {
		r.result = uint64(q.queued[0])
		q.masked = append(q.masked, q.queued[0])
		q.queued = q.queued[1:]
		return success
	}
	if r.p == nil {
		r.p = c.postpone()
	}
	q.waiting = append(q.waiting, r.p)
	return postponed
}

// waitsForEvent reports whether the command may wait for ever.
func (p *pending) waitsForEvent() bool {
	return p.r.cmd.Queue == nvme.AdminQueue && p.r.cmd.Opcode == nvme.AdminAsyncEvent
}

// abortCommand carries out an Abort. There are no command identifiers here, so
// that it never finds what to abort: bit 0 of DW0 says so.
func abortCommand(r *request) nvme.Status {
	if s := r.transfer(0); s != success {
		return s
	}
	r.result = 1
	return success
}

// keepAlive carries out a Keep Alive; its timer is the business of a transport.
func keepAlive(r *request) nvme.Status { return r.transfer(0) }
