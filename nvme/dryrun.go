package nvme

import (
	"context"
	"fmt"
)

// NewDryRun returns a Transport that passes on to t what reads, and refuses
// with [ErrDryRun] what changes the drive or its state, naming it. What is not
// known, such as a vendor's command, is taken to change it. Reads here are
// reads of the drive's content and state: a log page that is read without RAE
// still clears the event that announced it.
func NewDryRun(t Transport) *DryRun { return &DryRun{t} }

// DryRun is a Transport for seeing what would be done; see [NewDryRun].
type DryRun struct{ t Transport }

// Submit implements [Transport].
func (d *DryRun) Submit(ctx context.Context, cmd Command) (Completion, error) {
	if cmd.Changes() {
		return Completion{}, fmt.Errorf("nvme: %v: %w", cmd, ErrDryRun)
	}
	return d.t.Submit(ctx, cmd)
}

// Operate implements [Operator]. It refuses all but a namespace rescan, which
// changes nothing on the drive.
func (d *DryRun) Operate(ctx context.Context, op Operation) error {
	if op != RescanNamespaces {
		return fmt.Errorf("nvme: %v: %w", op, ErrDryRun)
	}
	return operate(ctx, d.t, op)
}

// Changes reports whether the command changes the drive: its content, its
// settings, its namespaces, its firmware, or the state that another command
// finds it in. A command that this package does not know is taken to.
func (c *Command) Changes() bool {
	if c.Queue == IOQueue {
		switch c.Opcode {
		// Flush makes lasting what was written, and changes nothing of it.
		case IOFlush, IORead, IOCompare, IOVerify, IOReservationReport, IOZoneReceive:
			return false
		}
		return true
	}
	switch c.Opcode {
	case AdminIdentify, AdminGetFeatures, AdminKeepAlive, AdminAsyncEvent, AdminGetLBAStatus, AdminSecurityReceive, AdminMIReceive:
		return false
	case AdminGetLogPage:
		// Creating telemetry data replaces what was captured before.
		return LogPageID(c.CDW10&0xff) == LogTelemetryHost && c.CDW10>>8&1 != 0
	case AdminDirectiveReceive:
		// Allocate Resources of the Streams directive.
		return c.CDW11&0xffff == 0x0103
	}
	return true
}
