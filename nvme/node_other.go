//go:build !linux

package nvme

import (
	"context"
	"errors"
	"fmt"
)

// Submit implements [Transport]. It fails with errors.ErrUnsupported.
func (n *Node) Submit(ctx context.Context, cmd Command) (Completion, error) {
	if err := cmd.check(); err != nil {
		return Completion{}, err
	}
	if err := n.acquire(); err != nil {
		return Completion{}, err
	}
	defer n.release()
	return Completion{}, fmt.Errorf("nvme: %s: %s: %w", n.Name(), cmd.Name(), errors.ErrUnsupported)
}

// Operate implements [Operator]. It fails with errors.ErrUnsupported.
func (n *Node) Operate(ctx context.Context, op Operation) error {
	return fmt.Errorf("nvme: %s: %v: %w", n.Name(), op, errors.ErrUnsupported)
}

// NSID fails with errors.ErrUnsupported.
func (n *Node) NSID() (uint32, error) {
	return 0, fmt.Errorf("nvme: %s: namespace ID: %w", n.Name(), errors.ErrUnsupported)
}

// isAgain is of no use here.
func isAgain(error) bool { return false }
