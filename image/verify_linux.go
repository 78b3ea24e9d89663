package image

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// dataRange returns the first range from pos on that may hold data, and does not
// reach past end. Where there is none, it is empty and at end.
func dataRange(f *os.File, pos, end int64) (start, stop int64) {
	start, err := f.Seek(pos, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) || err == nil && start >= end {
		return end, end
	} else if err != nil { // a device, or a file system that knows no holes
		return pos, end
	}
	stop, err = f.Seek(start, unix.SEEK_HOLE)
	if err != nil {
		return start, end
	}
	return start, min(stop, end)
}
