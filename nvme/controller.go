package nvme

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// A Controller issues commands through a [Transport]. Its methods encode one
// command each, or say so where they send more, and decode the answer. They may
// be called from several goroutines.
//
// A command that the drive answers with an error is a [CommandError]; values
// that could not be right are refused with an [ArgumentError] before the drive
// sees anything.
type Controller struct {
	t      Transport
	closer io.Closer // what Open opened

	mu     sync.Mutex
	limits *limits // of the drive, as soon as they are needed

	// generation counts what may have changed a namespace's block size.
	generation atomic.Uint64
}

// limits are what Identify Controller says of the commands that it takes.
type limits struct {
	transfer        uint64 // bytes; 0 is no limit
	extendedData    bool   // Get Log Page takes offsets
	extendedFormats bool   // NVMNamespace tells more of LBA formats
}

// assumedPageSize is CAP.MPSMIN, in bytes. No passthrough tells what it is; a
// drive with a larger one takes more data at a time than we then give it.
const assumedPageSize = 4096

// Open opens a device node of a controller, /dev/nvme0, or of a namespace,
// /dev/nvme0n1 or /dev/ng0n1. Close closes it. See [Node] for permissions,
// and for what the context does.
func Open(ctx context.Context, path string) (*Controller, error) {
	node, err := OpenNode(ctx, path)
	if err != nil {
		return nil, err
	}
	return &Controller{t: node, closer: node}, nil
}

// NewController issues commands through t, which stays the caller's.
func NewController(t Transport) *Controller { return &Controller{t: t} }

// Transport returns what the commands go through.
func (c *Controller) Transport() Transport { return c.t }

// Close closes what Open opened, and nothing else. It may be called again.
func (c *Controller) Close() error {
	if c.closer == nil {
		return nil
	}
	return c.closer.Close()
}

// Do submits a command as it is, and returns the completion's result. A status
// that is not success is a [CommandError], and comes with the result.
//
// NB: What a raw command does to block sizes is not noticed; see [Namespace].
func (c *Controller) Do(ctx context.Context, cmd Command) (uint64, error) {
	return submit(ctx, c.t, cmd)
}

// NSID returns the identifier of the namespace whose node the transport is. It
// fails with errors.ErrUnsupported on a controller's node.
func (c *Controller) NSID() (uint32, error) {
	t := c.t
	for w, ok := t.(wrapper); ok; w, ok = t.(wrapper) {
		t = w.inner()
	}
	if t, ok := t.(interface{ NSID() (uint32, error) }); ok {
		return t.NSID()
	}
	return 0, fmt.Errorf("nvme: namespace ID by %T: %w", c.t, errors.ErrUnsupported)
}

// Reset resets the controller. Commands under way are aborted; the drive keeps
// its data. Firmware that awaits a controller level reset is activated.
func (c *Controller) Reset(ctx context.Context) error { return c.operate(ctx, ResetController) }

// ResetSubsystem resets the NVM subsystem, with all its controllers.
func (c *Controller) ResetSubsystem(ctx context.Context) error {
	return c.operate(ctx, ResetSubsystem)
}

// Rescan lets the kernel look at the controller's namespaces anew.
func (c *Controller) Rescan(ctx context.Context) error { return c.operate(ctx, RescanNamespaces) }

func (c *Controller) operate(ctx context.Context, op Operation) error {
	c.forget()
	return operate(ctx, c.t, op)
}

// forget drops what is known of the drive, as it may have changed.
func (c *Controller) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limits = nil
	c.generation.Add(1)
}

// knownLimits returns the limits, which it reads from the drive the first time.
func (c *Controller) knownLimits(ctx context.Context) (limits, error) {
	c.mu.Lock()
	known := c.limits
	c.mu.Unlock()
	if known == nil {
		id, err := c.Identify(ctx)
		if err != nil {
			return limits{}, err
		}
		known = &limits{
			transfer:        id.MaxTransfer(assumedPageSize),
			extendedData:    id.LogPages&SupportsExtendedData != 0,
			extendedFormats: id.Attributes&ExtendedLBAFormats != 0,
		}
		c.mu.Lock()
		c.limits = known
		c.mu.Unlock()
	}
	return *known, nil
}

// checkTransfer refuses size bytes of data if that is above MDTS. Up to a page
// always fits.
func (c *Controller) checkTransfer(ctx context.Context, op string, size int) error {
	if size <= assumedPageSize {
		return nil
	}
	l, err := c.knownLimits(ctx)
	if err != nil {
		return err
	}
	if l.transfer > 0 && uint64(size) > l.transfer {
		return &ArgumentError{op, "length of data", size, fmt.Sprintf("at most %d bytes (MDTS)", l.transfer)}
	}
	return nil
}

// checkDwords refuses data that is not whole dwords, or none at all.
func checkDwords(op string, data []byte) error {
	if len(data) == 0 || len(data)%4 != 0 {
		return &ArgumentError{op, "length of data", len(data), "whole dwords: a multiple of 4, not 0"}
	}
	return nil
}

// checkNSID refuses 0, and the broadcast NSID unless all is set.
func checkNSID(op string, nsid uint32, all bool) error {
	switch {
	case nsid == 0:
		return &ArgumentError{op, "NSID", nsid, "a namespace identifier, which is never 0"}
	case nsid == BroadcastNSID && !all:
		return &ArgumentError{op, "NSID", "FFFFFFFFh (all)", "one namespace"}
	}
	return nil
}

// lo and hi split a number into dwords.
func lo(n uint64) uint32 { return uint32(n) }
func hi(n uint64) uint32 { return uint32(n >> 32) }

// bit returns 1<<n if b is set.
func bit(b bool, n int) uint32 {
	if b {
		return 1 << n
	}
	return 0
}
