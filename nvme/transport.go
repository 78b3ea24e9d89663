package nvme

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// A Transport carries commands to a controller and its answers back: through
// the kernel ([Node]), to an emulated drive in this process (package nvmetest),
// from a transcript ([Replayer]), or through another Transport ([Tracer],
// [Recorder], [DryRun]).
type Transport interface {
	// Submit sends one command and waits for its completion. Whatever the
	// controller answers, errors included, is in the Completion and leaves err
	// nil; err says that there is no answer. Data and Metadata belong to the
	// transport until Submit returns, and may be written to by a command that
	// fails. Submit may be called from several goroutines.
	//
	// The context bounds the command. A Transport that cannot interrupt a
	// command, such as Node, turns the deadline into the command's timeout, and
	// cancellation only keeps a command from being sent.
	Submit(ctx context.Context, cmd Command) (Completion, error)
}

// An Operator is a Transport that can also do what a host does to a controller
// without a command.
type Operator interface {
	Operate(ctx context.Context, op Operation) error
}

// Operation is what a host does to a controller without a command.
type Operation uint8

// Operations.
const (
	// ResetController clears CC.EN and brings the controller up again.
	ResetController Operation = iota + 1
	// ResetSubsystem writes NSSR; every controller of the subsystem resets.
	ResetSubsystem
	// RescanNamespaces lets the kernel look at the namespaces anew.
	RescanNamespaces
)

// String names the operation.
func (o Operation) String() string {
	switch o {
	case ResetController:
		return "controller reset"
	case ResetSubsystem:
		return "NVM subsystem reset"
	case RescanNamespaces:
		return "namespace rescan"
	}
	return fmt.Sprintf("operation %d", uint8(o))
}

// Command is a submission queue entry together with its buffers, as a host may
// set it: what belongs to the queues and to memory addressing is the
// transport's. NVMe Base 2.0, 3.3.3.1.
type Command struct {
	Queue      Queue
	Opcode     Opcode
	NSID       uint32
	CDW2, CDW3 uint32
	CDW10      uint32
	CDW11      uint32
	CDW12      uint32
	CDW13      uint32
	CDW14      uint32
	CDW15      uint32

	// Data and Metadata are buffers of the caller; which way they go is in the
	// opcode, see [Opcode.Direction]. Data is whole dwords. Empty is none.
	Data     []byte
	Metadata []byte

	// Timeout bounds the command where the context has no deadline. Zero is
	// the transport's default: Linux waits 60 s for an admin command and 30 s
	// for I/O. [NoTimeout] is the longest that can be had.
	//
	// NB: An expired command does not merely fail: Linux resets the controller.
	Timeout time.Duration
}

// NoTimeout is the longest timeout of a command, a little under 50 days.
const NoTimeout = math.MaxUint32 * time.Millisecond

// Completion is what the controller answered. NVMe Base 2.0, 3.3.3.2.
type Completion struct {
	// Result is command specific: DW0, and DW1 in the upper half, where the
	// transport can tell it (the 32-bit ioctls cannot).
	Result uint64
	Status Status
}

// Name names the command as the specification does, in lower case.
func (c *Command) Name() string { return commandName(c.Queue, c.Opcode) }

// String shows the command in one line, without its data.
func (c Command) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s (%v opcode %02Xh", c.Name(), c.Queue, uint8(c.Opcode))
	if c.NSID != 0 {
		fmt.Fprintf(&s, ", nsid %s", nsidText(c.NSID))
	}
	for _, dw := range []struct {
		n int
		v uint32
	}{{2, c.CDW2}, {3, c.CDW3}, {10, c.CDW10}, {11, c.CDW11}, {12, c.CDW12}, {13, c.CDW13}, {14, c.CDW14}, {15, c.CDW15}} {
		if dw.v != 0 {
			fmt.Fprintf(&s, ", cdw%d %08Xh", dw.n, dw.v)
		}
	}
	if len(c.Data) > 0 {
		fmt.Fprintf(&s, ", %d bytes of data", len(c.Data))
	}
	if len(c.Metadata) > 0 {
		fmt.Fprintf(&s, ", %d bytes of metadata", len(c.Metadata))
	}
	return s.String() + ")"
}

// check refuses what no transport can carry.
func (c *Command) check() error {
	switch {
	case c.Queue > IOQueue:
		return &ArgumentError{c.Name(), "Queue", c.Queue, "AdminQueue or IOQueue"}
	case len(c.Data)%4 != 0:
		return &ArgumentError{c.Name(), "length of Data", len(c.Data), "whole dwords: a multiple of 4"}
	case uint64(len(c.Data)) > math.MaxUint32:
		return &ArgumentError{c.Name(), "length of Data", len(c.Data), "less than 4 GiB"}
	case uint64(len(c.Metadata)) > math.MaxUint32:
		return &ArgumentError{c.Name(), "length of Metadata", len(c.Metadata), "less than 4 GiB"}
	case c.Timeout < 0:
		return &ArgumentError{c.Name(), "Timeout", c.Timeout, "zero or positive"}
	}
	return nil
}

// TimeoutIn returns the command's timeout in whole milliseconds under ctx:
// what is left until the context's deadline, or else Timeout, or else zero,
// which is the transport's default. It is rounded up, so that it is never zero
// by accident. It fails if the context is over, and if the timeout is above
// [NoTimeout].
func (c *Command) TimeoutIn(ctx context.Context) (milliseconds uint32, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	d := c.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		if d = time.Until(deadline); d <= 0 {
			return 0, context.DeadlineExceeded
		}
	}
	if d > NoTimeout {
		return 0, &ArgumentError{c.Name(), "timeout", d, fmt.Sprintf("at most %v", NoTimeout)}
	}
	return uint32((d + time.Millisecond - 1) / time.Millisecond), nil
}

// submit sends the command and turns a status that is not success into a
// [CommandError].
func submit(ctx context.Context, t Transport, cmd Command) (uint64, error) {
	done, err := t.Submit(ctx, cmd)
	if err != nil {
		return 0, err
	}
	if !done.Status.Success() {
		return done.Result, newCommandError(&cmd, done)
	}
	return done.Result, nil
}

// operate passes op on to t, if t can do it.
func operate(ctx context.Context, t Transport, op Operation) error {
	if o, ok := t.(Operator); ok {
		return o.Operate(ctx, op)
	}
	return fmt.Errorf("nvme: %v by %T: %w", op, t, errors.ErrUnsupported)
}

// A wrapper is a Transport through another one.
type wrapper interface{ inner() Transport }

func (t *Tracer) inner() Transport   { return t.t }
func (r *Recorder) inner() Transport { return r.t }
func (d *DryRun) inner() Transport   { return d.t }

// nsidText writes the broadcast NSID as such.
func nsidText(nsid uint32) string {
	if nsid == BroadcastNSID {
		return "all"
	}
	return fmt.Sprint(nsid)
}
