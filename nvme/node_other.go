//go:build !linux

package nvme

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// nodesSupported says that this system has no passthrough that we know.
func nodesSupported() error {
	return fmt.Errorf("nvme: device nodes on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Submit implements [Transport]. It fails with errors.ErrUnsupported.
func (n *Node) Submit(context.Context, Command) (Completion, error) {
	return Completion{}, nodesSupported()
}

// Operate implements [Operator]. It fails with errors.ErrUnsupported.
func (n *Node) Operate(context.Context, Operation) error { return nodesSupported() }

// NSID fails with errors.ErrUnsupported.
func (n *Node) NSID() (uint32, error) { return 0, nodesSupported() }

// isAgain is of no use here.
func isAgain(error) bool { return false }
