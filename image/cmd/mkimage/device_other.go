//go:build !linux

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

func openDevice(name string) (target, error) {
	return nil, fmt.Errorf("write to %s: --device on %s: %w", name, runtime.GOOS, errors.ErrUnsupported)
}

func geometry(*os.File) (size int64, sector int, err error) {
	return 0, 0, errors.ErrUnsupported
}
