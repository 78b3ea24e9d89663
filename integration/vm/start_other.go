//go:build !linux

package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Start is for Linux: elsewhere it returns [errors.ErrUnsupported].
func Start(context.Context, Machine) (*VM, error) {
	return nil, fmt.Errorf("start machine: %w", errors.ErrUnsupported)
}

func newMemory(string, int64) (*os.File, error) { return nil, errors.ErrUnsupported }

func memoryPath(*os.File) string { return "" }
