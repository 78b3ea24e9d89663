//go:build !linux

package nvme

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// nodeSystem is what a Node keeps here: nothing.
type nodeSystem struct{}

// supported says that this system has no passthrough that we know.
func (*nodeSystem) supported() error {
	return fmt.Errorf("nvme: device nodes on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Submit implements [Transport]. It fails with errors.ErrUnsupported.
func (n *Node) Submit(context.Context, Command) (Completion, error) {
	return Completion{}, n.supported()
}

// Operate implements [Operator]. It fails with errors.ErrUnsupported.
func (n *Node) Operate(context.Context, Operation) error { return n.supported() }

// NSID fails with errors.ErrUnsupported.
func (n *Node) NSID() (uint32, error) { return 0, n.supported() }

// isAgain is of no use here.
func isAgain(error) bool { return false }
