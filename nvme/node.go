package nvme

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// A Node is the Transport through a device node of the Linux kernel: of a
// controller (/dev/nvme0), of a namespace (/dev/nvme0n1), or the generic one of
// a namespace (/dev/ng0n1). A controller's takes no I/O commands; the others
// take I/O for their own namespace, and admin commands for all.
//
// Submit is one ioctl and allocates nothing. The ioctl cannot be interrupted:
// a context that is cancelled meanwhile is not looked at. Its deadline becomes
// the command's timeout, rounded up to a millisecond.
//
// NB: When a command's timeout expires, the kernel does not merely give up on
// it: it resets the controller, under every other command.
//
// While the controller is resetting or connecting, Submit and Open wait for
// as long as the context allows, or a minute if it has no deadline, and then
// fail with [ErrNotLive].
//
// A Node needs CAP_SYS_ADMIN, but for a few commands on Linux 6.2 and later.
// On other systems there is none: OpenNode and NewNode fail with
// errors.ErrUnsupported. drivers/nvme/host/ioctl.c.
type Node struct {
	file  *os.File
	owned bool

	// A reader holds mu for the length of its ioctl, so that Close cannot give
	// the descriptor's number to another file under it.
	mu     sync.RWMutex
	fd     int
	closed bool

	// What Submit fails with on a node of something else, an admin and an I/O
	// command, made beforehand, so that even this costs no allocation.
	notNVMe, noNamespace error

	nodeSystem
}

// How long to wait for a controller to be live, without a deadline, and how
// often to look.
const (
	liveWait      = time.Minute
	livePollFirst = 5 * time.Millisecond
	livePollMost  = 200 * time.Millisecond
)

// OpenNode opens a device node. The Node owns the descriptor: Close closes it.
func OpenNode(ctx context.Context, path string) (*Node, error) {
	var node *Node
	err := waitLive(ctx, func() (again bool, err error) {
		f, err := os.OpenFile(path, os.O_RDONLY, 0)
		if err != nil {
			return isAgain(err), fmt.Errorf("nvme: %w", err)
		}
		if node, err = newNode(f, true); err != nil {
			_ = f.Close()
		}
		return false, err
	})
	if err != nil {
		return nil, err
	}
	return node, nil
}

// NewNode uses a device node that is open already. The descriptor stays the
// caller's: Close leaves it open, and it must stay open until then.
func NewNode(f *os.File) (*Node, error) { return newNode(f, false) }

func newNode(f *os.File, owned bool) (*Node, error) {
	n := &Node{file: f, owned: owned}
	if err := n.supported(); err != nil {
		return nil, err
	}
	if f == nil {
		return nil, &ArgumentError{"open", "file", nil, "an open device node"}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("nvme: %w", err)
	}
	if info.Mode()&os.ModeDevice == 0 {
		return nil, fmt.Errorf("nvme: %s, a %s: %w", f.Name(), kindOf(info.Mode()), ErrNotNVMe)
	}
	n.fd = int(f.Fd())
	n.setErrors()
	return n, nil
}

func (n *Node) setErrors() {
	n.notNVMe = fmt.Errorf("nvme: %s: %w", n.file.Name(), ErrNotNVMe)
	// Linux: nvme_dev_user_cmd answers the same for a controller that has no
	// namespaces, or that an unplug has left none.
	n.noNamespace = fmt.Errorf("nvme: %s: %w, or that of a controller without namespaces", n.file.Name(), ErrNotNVMe)
}

// kindOf says what a file is that is no device.
func kindOf(mode os.FileMode) string {
	switch {
	case mode.IsRegular():
		return "regular file"
	case mode.IsDir():
		return "directory"
	}
	return "file of type " + mode.Type().String()
}

// Name returns the path that the node was opened by.
func (n *Node) Name() string { return n.file.Name() }

// Close waits for commands under way to end, and closes the descriptor if the
// Node owns it. It may be called again.
func (n *Node) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	if !n.owned {
		return nil
	}
	return n.file.Close()
}

// waitLive calls try until it no longer asks to be called again. It gives up
// when ctx is over, or after liveWait if that has no deadline.
func waitLive(ctx context.Context, try func() (again bool, err error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	again, err := try()
	if !again {
		return err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, liveWait)
		defer cancel()
	}
	for poll := livePollFirst; again; poll = min(2*poll, livePollMost) {
		timer := time.NewTimer(poll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ErrNotLive, context.Cause(ctx), err)
		case <-timer.C:
		}
		before := err
		again, err = try()
		// The context may as well be over by the time that try looks at it.
		if over := ctx.Err(); over != nil && errors.Is(err, over) {
			return errors.Join(ErrNotLive, err, before)
		}
	}
	return err
}
