//go:build !linux

package mkfs

import (
	"errors"
	"fmt"
	"os"
)

// The programs are Linux's.

func unnamed() (*os.File, error) {
	return nil, fmt.Errorf("temporary file without a name: %w", errors.ErrUnsupported)
}

func openLimit() (int64, error) { return 0, errors.ErrUnsupported }

func nextData(*os.File, int64, int64) (start, end int64, err error) {
	return 0, 0, errors.ErrUnsupported
}

func makeBtrfs(*job) error { return errors.ErrUnsupported }
