package loop

import (
	"fmt"
)

// Options says how [Attach] binds a file. The zero value presents the whole
// file, writable, in logical blocks of 512 bytes, until the Device is closed
// or its process ends.
type Options struct {
	// ReadOnly makes the device refuse writes. It must be set when the file
	// is not open for writing.
	ReadOnly bool
	// Offset is the first byte of the file that the device shows: a multiple
	// of BlockSize below the size of the file.
	Offset int64
	// Size is how many bytes of the file, from Offset, the device shows: a
	// multiple of BlockSize. Zero means all up to the end of the file, which
	// must then end on a block; the kernel would drop the rest in silence.
	Size int64
	// BlockSize is the logical block size in bytes, a power of two from 512
	// to 65536. Zero means 512. Kernels before 6.15, and those without large
	// folios, take at most the size of a page.
	BlockSize int
	// DirectIO says whether the kernel reads and writes the file past the page
	// cache. Zero is [DirectIOOff].
	DirectIO DirectIO
	// Tag is a name for the device, lo_file_name in the kernel, of at most 63
	// bytes: the REF column of `losetup -l` from util-linux 2.40 on. Empty
	// means the name of the file, cut to that length. The BACK-FILE column
	// comes from the file itself: for a memfd, the name it was made with.
	Tag string
	// Persist leaves the device bound when the Device is closed or the process
	// ends, until somebody detaches it.
	Persist bool
	// AllowShared permits a file that is attached already. Two devices on one
	// file have two page caches: without care they corrupt each other's data.
	AllowShared bool
}

// DirectIO is a wish for direct I/O on the backing file.
type DirectIO int

const (
	// DirectIOOff goes through the page cache of the backing file, unless the
	// file is itself open with O_DIRECT.
	DirectIOOff DirectIO = iota
	// DirectIOTry asks for direct I/O; the kernel drops the wish in silence
	// where it cannot serve it. [Device.DirectIO] tells the outcome.
	DirectIOTry
	// DirectIORequire makes Attach fail with [ErrDirectIO] where the kernel
	// dropped the wish.
	DirectIORequire
)

// String returns "off", "try" or "require".
func (d DirectIO) String() string {
	switch d {
	case DirectIOOff:
		return "off"
	case DirectIOTry:
		return "try"
	case DirectIORequire:
		return "require"
	}
	return fmt.Sprintf("DirectIO(%d)", int(d))
}

// DeviceNumber is the number of a device node.
//
// The number of /dev/loopN is 7:N only while the module parameter max_part is
// zero, and partitions usually have numbers of another major altogether. This
// package takes every number from the kernel.
type DeviceNumber struct {
	Major, Minor uint32
}

// String returns the number as sysfs writes it: "7:3".
func (n DeviceNumber) String() string { return fmt.Sprintf("%d:%d", n.Major, n.Minor) }

// parseDeviceNumber is the opposite of String.
func parseDeviceNumber(s string) (DeviceNumber, error) {
	var n DeviceNumber
	if _, err := fmt.Sscanf(s, "%d:%d", &n.Major, &n.Minor); err != nil {
		return DeviceNumber{}, fmt.Errorf("device number %q: want major:minor", s)
	}
	return n, nil
}
