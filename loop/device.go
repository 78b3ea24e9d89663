package loop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

// Device is a bound loop device, and the owner of a descriptor of it. For a
// device that was not made to persist, that descriptor is what keeps it bound.
//
// What its methods return was read back from the kernel when the Device was
// made, or last changed by a method of it; they stay valid after Close. A Device
// may be used by many goroutines.
type Device struct {
	file        *os.File
	number      uint32
	dev         DeviceNumber
	path        string
	allowShared bool // see Options

	state atomic.Pointer[state] // replaced under mu

	mu        sync.Mutex // guards what follows, and changes
	nodes     nodes
	closed    bool
	tableLock tableLock
}

// state is what the kernel says of a bound device.
type state struct {
	status    sys.Status
	size      int64
	blockSize int
	diskSeq   uint64
}

// readState asks the device open at fd.
func readState(fd int) (*state, error) {
	var st state
	var err error
	if st.status, err = sys.GetStatus(fd); err != nil {
		return nil, err
	}
	if st.size, err = sys.SizeBytes(fd); err != nil {
		return nil, err
	}
	if st.blockSize, err = sys.LogicalBlockSize(fd); err != nil {
		return nil, err
	}
	if st.diskSeq, err = sys.DiskSeq(fd); err != nil && !errors.Is(err, sys.ENOTTY) && !errors.Is(err, sys.EINVAL) {
		return nil, err
	}
	return &st, nil
}

// readBack takes over what the kernel made of the configuration.
func (d *Device) readBack(fd int) error {
	st, err := readState(fd)
	if err != nil {
		return err
	}
	d.state.Store(st)
	d.number = st.status.Number
	return nil
}

// Name returns the kernel's name of the device: "loop3".
func (d *Device) Name() string { return "loop" + strconv.FormatUint(uint64(d.number), 10) }

// Path returns a path of the device's node: "/dev/loop3", or, where /dev has no
// such node, one below /proc/PID/fd, which this process and its children can
// use until the Device is closed.
func (d *Device) Path() string { return d.path }

// Number returns the number of the device node.
func (d *Device) Number() DeviceNumber { return d.dev }

// DiskSeq returns the disk sequence number: another one for every attachment
// since the machine started, and for every change of the file behind one, and so
// an identity that the device's name is not. It is zero before Linux 5.15.
func (d *Device) DiskSeq() uint64 { return d.state.Load().diskSeq }

// Size returns the size of the device in bytes.
func (d *Device) Size() int64 { return d.state.Load().size }

// BlockSize returns the logical block size in bytes.
func (d *Device) BlockSize() int { return d.state.Load().blockSize }

// Offset returns the first byte of the backing file that the device shows.
func (d *Device) Offset() int64 { return int64(d.state.Load().status.Offset) }

// Tag returns the name given by [Options], lo_file_name.
func (d *Device) Tag() string { return d.state.Load().status.Name }

// ReadOnly reports whether the device refuses writes.
func (d *Device) ReadOnly() bool { return d.state.Load().status.Flags&sys.FlagReadOnly != 0 }

// DirectIO reports whether the kernel reads and writes the backing file past
// the page cache.
func (d *Device) DirectIO() bool { return d.state.Load().status.Flags&sys.FlagDirectIO != 0 }

// Persistent reports whether the device outlives the descriptors of it.
func (d *Device) Persistent() bool { return d.state.Load().status.Flags&sys.FlagAutoclear == 0 }

// String returns the name and the path of the device.
func (d *Device) String() string {
	if d.path == "/dev/"+d.Name() {
		return d.path
	}
	return d.Name() + " at " + d.path
}

// File returns the Device's own file of the device, open for reading and,
// unless the device is read-only, for writing. It still belongs to the Device,
// which closes it.
func (d *Device) File() *os.File { return d.file }

// Open opens the device once more, with flags of [os.OpenFile]; also where /dev
// has no node of it. The caller closes the file; until then the device stays
// bound, whatever becomes of the Device.
func (d *Device) Open(flag int) (*os.File, error) {
	return d.openNode(d.Name(), d.dev, flag)
}

// openNode opens the device or a partition of it.
func (d *Device) openNode(name string, num DeviceNumber, flag int) (*os.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, fmt.Errorf("loop: open %s: %w", name, fs.ErrClosed)
	}
	fd, path, err := d.nodes.open(name, sys.BlockDevice, num, flag)
	if err != nil {
		return nil, fmt.Errorf("loop: open %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Close closes the Device's file and the nodes that were made for it. Calling
// it again does nothing.
//
// With that the kernel unbinds a device that was not made to persist, before
// Close returns; unless somebody else has it or a partition of it open or
// mounted: then when the last of them is done. For some microseconds that can
// be a child process that another goroutine is just starting, which has copies
// of all descriptors until it has executed its program; or a process that was
// told that the device is free and came too late to bind it. [Device.Detach]
// waits for those.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	if err := d.discard(); err != nil {
		return fmt.Errorf("loop: close %s: %w", d.Name(), err)
	}
	return nil
}

// discard closes what a Device owns, also a half-made one.
func (d *Device) discard() error {
	d.closed = true
	d.nodes.close()
	if d.file == nil {
		return nil
	}
	return d.file.Close()
}

// passingAttempts bounds Detach's wait for others: about 100 ms.
const passingAttempts = 50

// Detach unbinds the device, one made to persist as well, and closes the
// Device. When it returns without error, the device is unbound.
//
// While others have the device or a partition of it open or mounted, the kernel
// puts that off until the last of them is done; the error then is a [BusyError],
// which names them and matches [ErrBusy]. A udevd that looks at the device is waited
// for. After Close it fails with [fs.ErrClosed]; [Open] the device again.
func (d *Device) Detach() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return fmt.Errorf("loop: detach %s: %w", d.Name(), fs.ErrClosed)
	}
	var others bool
	err := control(d.file, func(fd int) error {
		if err := sys.Clear(fd); err != nil && !errors.Is(err, sys.ENXIO) {
			return err // ENXIO: unbound by somebody else
		}
		// Where this is the only open file of the device, it is unbound from
		// here on, if only for those who ask; else it has got AUTOCLEAR.
		_, err := sys.GetStatus(fd)
		others = err == nil
		return nil
	})
	if err = errors.Join(err, d.discard()); err != nil {
		return fmt.Errorf("loop: detach %s: %w", d.Name(), err)
	}
	// The others can be such that are done in an instant: those of a process
	// that was told that this device is free, and came too late to bind it.
	limit := maxAttempts
	if others {
		limit = passingAttempts
	}
	if err = outlastUdev(func() error { return d.awaitUnbound(limit) }); err != nil {
		return fmt.Errorf("loop: detach %s: %w; the kernel detaches it after that", d.Name(), err)
	}
	return nil
}

// awaitUnbound waits for the end of this attachment.
func (d *Device) awaitUnbound(limit int) error {
	for attempt := 0; d.stillBound(); attempt++ {
		if attempt == limit {
			return busy(d.Name(), d.Name())
		}
		_ = backOff(context.Background(), attempt)
	}
	return nil
}

// stillBound reports whether this attachment still exists.
func (d *Device) stillBound() bool {
	info, err := readInfo(d.Name())
	return err == nil && info.DiskSeq == d.state.Load().diskSeq
}
