//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
)

// runInit is what the disk boots to, which runs Linux.
func runInit(context.Context, []string, io.Writer) error { return errors.ErrUnsupported }
