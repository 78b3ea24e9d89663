package nvme

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/nvme/internal/sys"
)

// nodeSystem is what a Node keeps on Linux.
type nodeSystem struct {
	// The 64-bit requests are in Linux since 5.4. Which of them the kernel does
	// not know is remembered.
	no64 [2]atomic.Bool // by Queue
}

// Submit implements [Transport]. What the kernel itself refuses, with EINVAL
// and before the drive sees it, is an NSID unlike the node's own in an I/O
// command and a buffer larger than a transfer may be.
func (n *Node) Submit(ctx context.Context, cmd Command) (Completion, error) {
	if err := cmd.check(); err != nil {
		return Completion{}, err
	}
	done, errno, err := n.submitOnce(ctx, &cmd)
	if err == nil && errno == 0 && !hostPathError(done.Status) {
		return done, nil
	}
	return n.submitSlowly(ctx, cmd, done, errno, err)
}

// submitSlowly is where Submit goes when the first try did not end well. It
// takes the command by value, which keeps that of Submit off the heap.
func (n *Node) submitSlowly(ctx context.Context, cmd Command, done Completion, errno unix.Errno, err error) (Completion, error) {
	first := true
	return n.settle(ctx, &cmd, func() (Completion, unix.Errno, error) {
		if first {
			first = false
			return done, errno, err
		}
		return n.submitOnce(ctx, &cmd)
	})
}

// settle calls try until the controller is live, or the context over.
func (n *Node) settle(ctx context.Context, cmd *Command, try func() (Completion, unix.Errno, error)) (done Completion, err error) {
	err = waitLive(ctx, func() (again bool, err error) {
		var errno unix.Errno
		done, errno, err = try()
		switch {
		case err != nil:
			return false, err
		case errno != 0:
			return errno == unix.EAGAIN, n.errnoError(cmd, errno)
		case hostPathError(done.Status):
			return true, newCommandError(cmd, done)
		}
		return false, nil
	})
	if err != nil {
		return Completion{}, err
	}
	return done, nil
}

// hostPathError recognises what the kernel answers in a drive's stead, while
// the controller is not live: nvme_fail_nonready_command.
func hostPathError(s Status) bool { return s.Code() == StatusHostPathError && !s.DNR() }

// submitOnce is the hot path: it allocates nothing.
func (n *Node) submitOnce(ctx context.Context, cmd *Command) (Completion, unix.Errno, error) {
	timeout, err := cmd.TimeoutIn(ctx)
	if err != nil {
		return Completion{}, 0, err
	}
	if err := n.acquire(); err != nil {
		return Completion{}, 0, err
	}
	var done Completion
	var errno unix.Errno
	if no64 := &n.no64[cmd.Queue]; no64.Load() {
		done, errno = passthru(n.fd, cmd, timeout)
	} else if done, errno = passthru64(n.fd, cmd, timeout); errno == unix.ENOTTY {
		no64.Store(true)
		done, errno = passthru(n.fd, cmd, timeout)
	}
	n.release()
	runtime.KeepAlive(n.file)
	return done, errno, nil
}

func passthru64(fd int, cmd *Command, timeout uint32) (Completion, unix.Errno) {
	request := uint32(sys.NVME_IOCTL_ADMIN64_CMD)
	if cmd.Queue == IOQueue {
		request = sys.NVME_IOCTL_IO64_CMD
	}
	c := sys.PassthruCmd64{
		Opcode: uint8(cmd.Opcode), NSID: cmd.NSID, CDW2: cmd.CDW2, CDW3: cmd.CDW3,
		Metadata: sys.PointerTo(cmd.Metadata), MetadataLen: uint32(len(cmd.Metadata)),
		Addr: sys.PointerTo(cmd.Data), DataLen: uint32(len(cmd.Data)),
		CDW10: cmd.CDW10, CDW11: cmd.CDW11, CDW12: cmd.CDW12, CDW13: cmd.CDW13, CDW14: cmd.CDW14, CDW15: cmd.CDW15,
		TimeoutMS: timeout,
	}
	status, errno := sys.Passthru64(fd, request, &c)
	if errno != 0 {
		return Completion{}, errno
	}
	return Completion{Result: c.Value(), Status: Status(status)}, 0
}

func passthru(fd int, cmd *Command, timeout uint32) (Completion, unix.Errno) {
	request := uint32(sys.NVME_IOCTL_ADMIN_CMD)
	if cmd.Queue == IOQueue {
		request = sys.NVME_IOCTL_IO_CMD
	}
	c := sys.PassthruCmd{
		Opcode: uint8(cmd.Opcode), NSID: cmd.NSID, CDW2: cmd.CDW2, CDW3: cmd.CDW3,
		Metadata: sys.PointerTo(cmd.Metadata), MetadataLen: uint32(len(cmd.Metadata)),
		Addr: sys.PointerTo(cmd.Data), DataLen: uint32(len(cmd.Data)),
		CDW10: cmd.CDW10, CDW11: cmd.CDW11, CDW12: cmd.CDW12, CDW13: cmd.CDW13, CDW14: cmd.CDW14, CDW15: cmd.CDW15,
		TimeoutMS: timeout,
	}
	status, errno := sys.Passthru(fd, request, &c)
	if errno != 0 {
		return Completion{}, errno
	}
	return Completion{Result: uint64(c.Result), Status: Status(status)}, 0
}

// errnoError says what an errno means here. ENOTTY costs no allocation: the
// benchmark of the hot path ends in it.
func (n *Node) errnoError(cmd *Command, errno unix.Errno) error {
	switch errno {
	case unix.ENOTTY:
		if cmd.Queue == IOQueue {
			return n.noNamespace
		}
		return n.notNVMe
	case unix.EINTR:
		return fmt.Errorf("nvme: %s: %s: %w: %w", n.Name(), cmd.Name(), ErrExpired, errno)
	case unix.EINVAL:
		return fmt.Errorf("nvme: %s: %s: refused by the kernel, for %d bytes of data and nsid %s: %w: %w",
			n.Name(), cmd.Name(), len(cmd.Data), nsidText(cmd.NSID), os.ErrInvalid, errno)
	}
	return n.failed(cmd.Name(), errno)
}

// failed wraps what the kernel has said.
func (n *Node) failed(what string, errno unix.Errno) error {
	if isGone(errno) {
		return fmt.Errorf("nvme: %s: %s: %w: %w", n.Name(), what, ErrGone, errno)
	}
	return fmt.Errorf("nvme: %s: %s: %w", n.Name(), what, errno)
}

// Operate implements [Operator]. It works on a controller's node only. A
// controller reset returns when the controller is live again.
func (n *Node) Operate(ctx context.Context, op Operation) error {
	requests := map[Operation]uint32{
		ResetController:  sys.NVME_IOCTL_RESET,
		ResetSubsystem:   sys.NVME_IOCTL_SUBSYS_RESET,
		RescanNamespaces: sys.NVME_IOCTL_RESCAN,
	}
	request, ok := requests[op]
	if !ok {
		return &ArgumentError{"operate", "operation", op, "one of the constants"}
	}
	_, err := n.simple(ctx, op.String(), request)
	if errors.Is(err, unix.ENOTTY) {
		// Not a controller's node, or for a subsystem reset a controller that
		// lacks NSSR: the kernel tells neither from the other.
		err = fmt.Errorf("%w: %w", err, errors.ErrUnsupported)
	}
	return err
}

// NSID returns the identifier of the namespace that the node is of.
// NB: it is not the number in the node's name. A controller's node is of none,
// and fails with errors.ErrUnsupported.
func (n *Node) NSID() (uint32, error) {
	id, err := n.simple(context.Background(), "namespace ID", sys.NVME_IOCTL_ID)
	if errors.Is(err, unix.ENOTTY) {
		err = fmt.Errorf("%w: not the node of a namespace: %w", err, errors.ErrUnsupported)
	}
	return uint32(id), err
}

func (n *Node) simple(ctx context.Context, what string, request uint32) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := n.acquire(); err != nil {
		return 0, err
	}
	defer n.release()
	value, errno := sys.Simple(n.fd, request)
	if errno != 0 {
		return 0, n.failed(what, errno)
	}
	return value, nil
}

// isAgain recognises what open answers while the controller is not live.
func isAgain(err error) bool { return errors.Is(err, unix.EAGAIN) }

// acquire keeps the descriptor open until release.
func (n *Node) acquire() error {
	n.mu.RLock()
	if n.closed {
		n.mu.RUnlock()
		return fmt.Errorf("nvme: %s: %w", n.file.Name(), os.ErrClosed)
	}
	return nil
}

func (n *Node) release() { n.mu.RUnlock() }

// supported returns nil: device nodes are Linux's.
func (*nodeSystem) supported() error { return nil }
