//go:build !linux

package tcptarget

import (
	"context"
	"errors"
	"fmt"

	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// Attach needs Linux.
func Attach(context.Context, *nvmetest.Drive, Options) (*Attached, error) {
	return nil, fmt.Errorf("tcptarget: attach: %w", errors.ErrUnsupported)
}

// Connect needs Linux.
func (t *Target) Connect(context.Context) (*Attached, error) {
	return nil, fmt.Errorf("tcptarget: connect: %w", errors.ErrUnsupported)
}

func (a *Attached) detach() error { return nil }
