package nvmetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"syscall"
	"time"

	"github.com/drivebay/drivebay/nvme"
)

// How long a command may take on the drive's clock by default, as in Linux.
const (
	adminTimeout = 60 * time.Second
	ioTimeout    = 30 * time.Second
)

// Submit implements nvme.Transport. As the kernel does, it takes the context's
// deadline, or else the command's Timeout, or else 60 s for an admin command and
// 30 s for I/O, for the command's timeout; but it measures it on the drive's
// clock. A command that expires resets the controller, and fails with
// nvme.ErrExpired. Unlike the kernel, Submit also returns when the context is
// cancelled; that too resets the controller.
//
// A drive that is off or gone is syscall.ENODEV. Submit allocates nothing for
// commands that complete at once, identify and logs aside.
func (c *Controller) Submit(ctx context.Context, cmd nvme.Command) (nvme.Completion, error) {
	ms, err := cmd.TimeoutIn(ctx)
	if err != nil {
		return nvme.Completion{}, err
	}
	if err := checkBuffers(&cmd); err != nil {
		return nvme.Completion{}, err
	}
	d := c.drive
	d.mu.Lock()
	done, p, err := c.begin(&cmd)
	if p == nil {
		d.mu.Unlock()
		return done, err
	}
	defer d.mu.Unlock()
	return c.await(ctx, p, expiry(&cmd, ms))
}

// expiry returns how long a command may take; never is without end.
func expiry(cmd *nvme.Command, ms uint32) time.Duration {
	switch {
	case ms != 0:
		return time.Duration(ms) * time.Millisecond
	case cmd.Queue == nvme.IOQueue:
		return ioTimeout
	}
	return adminTimeout
}

// await waits for a command, letting time pass where it may.
func (c *Controller) await(ctx context.Context, p *pending, timeout time.Duration) (nvme.Completion, error) {
	d := c.drive
	expires := d.now + timeout
	if !p.waitsForEvent() {
		d.at(expires, func() { c.expire(p, nil) })
	}
	for !p.finished {
		if p.due >= 0 && !d.profile.Stepped {
			d.advanceTo(min(p.due, expires))
			continue
		}
		d.mu.Unlock()
		select {
		case <-p.wake:
		case <-ctx.Done():
		}
		d.mu.Lock()
		if err := context.Cause(ctx); err != nil && !p.finished {
			c.expire(p, err)
		}
	}
	return p.done, p.err
}

// expire gives up on a command, as the kernel does: by a controller reset. An
// Asynchronous Event Request is merely forgotten.
func (c *Controller) expire(p *pending, cause error) {
	if p.finished {
		return
	}
	if p.waitsForEvent() {
		p.fail(cause)
		return
	}
	p.fail(fmt.Errorf("nvmetest: %s: %w", p.r.cmd.Name(), errors.Join(nvme.ErrExpired, cause)))
	c.reset()
}

// checkBuffers refuses what no transport can carry.
func checkBuffers(cmd *nvme.Command) error {
	switch {
	case cmd.Queue > nvme.IOQueue:
		return &nvme.ArgumentError{Op: cmd.Name(), Field: "Queue", Value: cmd.Queue, Want: "AdminQueue or IOQueue"}
	case len(cmd.Data)%4 != 0:
		return &nvme.ArgumentError{Op: cmd.Name(), Field: "length of Data", Value: len(cmd.Data), Want: "whole dwords: a multiple of 4"}
	case uint64(max(len(cmd.Data), len(cmd.Metadata))) > math.MaxUint32:
		return &nvme.ArgumentError{Op: cmd.Name(), Field: "length of a buffer", Value: max(len(cmd.Data), len(cmd.Metadata)), Want: "less than 4 GiB"}
	}
	return nil
}

// Operate implements nvme.Operator. A namespace rescan does nothing, as there
// is no kernel that would have to know.
func (c *Controller) Operate(ctx context.Context, op nvme.Operation) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	d := c.drive
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off || d.gone {
		return fmt.Errorf("nvmetest: %v: %w", op, syscall.ENODEV)
	}
	switch op {
	case nvme.ResetController:
		c.reset()
		return nil
	case nvme.ResetSubsystem:
		if d.profile.SubsystemReset {
			d.reset(SubsystemReset)
			return nil
		}
	case nvme.RescanNamespaces:
		d.happened(c.id, "%v", op)
		return nil
	}
	return fmt.Errorf("nvmetest: %v: %w", op, errors.ErrUnsupported)
}

func errGone(cmd *nvme.Command) error {
	return fmt.Errorf("nvmetest: %s: %w", cmd.Name(), syscall.ENODEV)
}

// NamespaceUsers returns who uses a namespace; see [Namespace.Use]. The
// procedures of package nvme ask for it.
func (c *Controller) NamespaceUsers(nsid uint32) ([]string, error) {
	n := c.drive.Namespace(nsid)
	if n == nil {
		return nil, nil
	}
	c.drive.mu.Lock()
	defer c.drive.mu.Unlock()
	return slices.Clone(n.users), nil
}
