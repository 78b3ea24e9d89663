package output

import (
	"fmt"
	"io"

	"github.com/drivebay/drivebay/image/volume"
)

// Writer turns a disk that is written to it into a file of some format.
type Writer interface {
	// Sink takes the disk. Offsets rise from call to call; what no call covers is
	// zero. It is for one goroutine.
	volume.Sink
	// Finish completes the file. Nothing can be written afterwards.
	Finish() error
	// Close gives up what the writer holds, but not the file, which is the
	// caller's. It has to be called in any case and may be called again.
	Close() error
}

// File is what the formats are written to that keep their tables in front of what
// they tell of: an [os.File], empty and opened for writing.
type File interface {
	io.WriterAt
	// Truncate sets the size of the file in bytes. What is not written is zero.
	Truncate(size int64) error
}

// sectorSize is the unit in bytes of which the formats want disks to be whole.
const sectorSize = 512

// checkRange refuses what is outside of a disk. Plans do not write such things.
func checkRange(format string, n int, off, size int64) error {
	if off < 0 || int64(n) > size-off {
		return fmt.Errorf("%s: %d bytes at offset %d: want them on the disk of %d", format, n, off, size)
	}
	return nil
}
