package nvme

import (
	"context"
	"errors"
	"fmt"
)

// TelemetryOptions say which telemetry to read.
type TelemetryOptions struct {
	// Controller reads what the controller has captured by itself (log 08h),
	// rather than what it captures for the host (07h).
	Controller bool
	// Keep does not capture anew for the host, but reads what was captured last.
	Keep bool
	// Area is the last data area to read, 1 to 4; 0 is 3. Area 4 may have to be
	// enabled first by [HostBehavior].
	Area int
	// Most is how many bytes to read at most; 0 is 1 GiB. A longer log is
	// refused, not cut.
	Most int64
	// Release, with Controller, lets the controller replace its data once they
	// are read. Otherwise RAE is set, and they stay.
	Release bool
}

// Telemetry reads a telemetry log: several commands. It fails with
// [ErrChanged] if the controller captured anew meanwhile.
func (c *Controller) Telemetry(ctx context.Context, o TelemetryOptions) (*TelemetryLog, error) {
	r := LogPageRequest{ID: LogTelemetryHost, RetainEvent: !o.Release}
	if o.Controller {
		r.ID = LogTelemetryController
	}
	area := o.Area
	if area == 0 {
		area = 3
	}
	if area < 1 || area > 4 {
		return nil, &ArgumentError{"telemetry", "Area", area, "1 to 4"}
	}
	first := r
	if !o.Controller && !o.Keep {
		first.Parameter = 1 // create telemetry host-initiated data
	}
	first.RetainEvent = true
	head, err := log[TelemetryHeader](ctx, c, first)
	if err != nil {
		return nil, err
	}
	most := o.Most
	if most == 0 {
		most = 1 << 30
	}
	size := head.Through(area)
	if size > most {
		return nil, &ArgumentError{"telemetry", "length of the log", size, fmt.Sprintf("at most %d bytes", most)}
	}
	l := &TelemetryLog{Bytes: make([]byte, size)}
	if err := c.LogPage(ctx, r, l.Bytes); err != nil {
		return nil, err
	}
	if err := Decode(l.Bytes, &l.Header); err != nil {
		return nil, err
	}
	// The header that is read again after the data tells whether they are of
	// one capture: NVMe Base 2.0, 5.16.1.8.
	r.RetainEvent = true
	last, err := log[TelemetryHeader](ctx, c, r)
	if err != nil {
		return nil, err
	}
	if l.Header.generation() != head.generation() || last.generation() != head.generation() {
		return nil, fmt.Errorf("nvme: telemetry: %w", ErrChanged)
	}
	return l, nil
}

// generation is the number that a new capture changes.
func (h *TelemetryHeader) generation() uint8 {
	if LogPageID(h.LogPage) == LogTelemetryHost {
		return h.HostGeneration
	}
	return h.ControllerGeneration
}

// Actions of the persistent event log: LSP bits 1:0.
const (
	persistentRead      = 0
	persistentEstablish = 1
	persistentRelease   = 2
)

// PersistentEventLog reads the persistent event log: several commands. For as
// long as it reads, the drive keeps a reporting context, which is released
// afterwards; one that another reader has left behind is released first.
func (c *Controller) PersistentEventLog(ctx context.Context) (l *PersistentEventLog, err error) {
	r := LogPageRequest{ID: LogPersistentEvents, Parameter: persistentEstablish}
	head, err := log[PersistentEventHeader](ctx, c, r)
	if errors.Is(err, StatusSequenceError) {
		if err := c.releasePersistent(ctx); err != nil {
			return nil, err
		}
		head, err = log[PersistentEventHeader](ctx, c, r)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := c.releasePersistent(context.WithoutCancel(ctx)); e != nil && err == nil {
			l, err = nil, e
		}
	}()
	size := (head.LogLength + 3) &^ 3
	if size < 512 || size > 1<<30 {
		return nil, &DecodeError{"PersistentEventLog", fmt.Sprintf("length of %d bytes, want 512 to 1 GiB", head.LogLength)}
	}
	page := make([]byte, size)
	r.Parameter = persistentRead
	if err := c.LogPage(ctx, r, page); err != nil {
		return nil, err
	}
	return DecodePersistentEventLog(page)
}

func (c *Controller) releasePersistent(ctx context.Context) error {
	r := LogPageRequest{ID: LogPersistentEvents, Parameter: persistentRelease}
	return c.LogPage(ctx, r, make([]byte, 512))
}
