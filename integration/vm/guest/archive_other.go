//go:build !linux

package guest

import (
	"errors"
	"os"

	"github.com/drivebay/drivebay/integration/vm/initramfs"
)

func archiveFile(*initramfs.Archive) (*os.File, int64, error) { return nil, 0, errors.ErrUnsupported }
