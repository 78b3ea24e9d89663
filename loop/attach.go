package loop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

// The wait for a device that somebody else took, or removed, between
// LOOP_CTL_GET_FREE and LOOP_CONFIGURE: an exponential backoff with jitter,
// about a second in all. 64 goroutines that attach at once need one retry in
// ten attaches, and no attach needs more than a few.
//
// The kernel names the lowest free device each time. If that one is stuck,
// because a program holds it open with O_EXCL and does not bind it, Attach
// looks for another one, after some 30 ms.
const (
	maxAttempts   = 250
	stuckAttempts = 20
	firstBackoff  = 20 * time.Microsecond
	maxBackoff    = 5 * time.Millisecond
)

// Attach binds the file backing to a free loop device, by one LOOP_CONFIGURE.
//
// The file must be a regular file, a memfd or a block device, open for reading
// and, unless opts.ReadOnly is set, for writing. The caller keeps owning it and
// may close it once Attach has returned: the kernel holds its own reference.
//
// Unless opts.Persist is set, the kernel detaches the device when the last
// descriptor of it is closed: by [Device.Close], and by the end of the process
// however it ends. The Device must stay reachable until then.
//
// ctx bounds the wait for a free device. A system call is not interrupted.
//
// Attaching needs CAP_SYS_ADMIN and Linux 5.8.
func Attach(ctx context.Context, backing *os.File, opts Options) (*Device, error) {
	if !sys.Supported {
		return nil, fmt.Errorf("loop: attach: %w", errors.ErrUnsupported)
	}
	if backing == nil {
		return nil, fmt.Errorf("loop: attach: %w", &OptionError{"backing", nil, "an open file"})
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("loop: attach %s: %w", backing.Name(), context.Cause(ctx))
	}
	var d *Device
	err := control(backing, func(fd int) error {
		b, err := inspect(backing, fd)
		if err != nil {
			return err
		}
		config, err := opts.config(&b)
		if err != nil {
			return err
		}
		bind := func() (*Device, error) { return attach(ctx, config, opts.DirectIO) }
		if opts.AllowShared {
			d, err = bind()
		} else {
			d, err = bindAlone(ctx, &b, bind)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("loop: attach %s: %w", backing.Name(), err)
	}
	d.allowShared = opts.AllowShared
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lockTable()
	return d, nil
}

// attach binds a free device and checks what came of it.
func attach(ctx context.Context, config *sys.Config, dio DirectIO) (*Device, error) {
	d := &Device{}
	err := d.bindFree(ctx, config)
	if err == nil && dio == DirectIORequire && !d.DirectIO() {
		err = fmt.Errorf("%w: its file system cannot, or Offset %d or BlockSize %d is too fine for the device below it",
			ErrDirectIO, config.Offset, config.BlockSize)
		return nil, errors.Join(err, d.withdraw())
	}
	if err != nil {
		_ = d.discard()
		return nil, err
	}
	return d, nil
}

// withdraw unbinds a device that was bound a moment ago. Closing alone would leave
// one that is to persist.
func (d *Device) withdraw() error {
	return errors.Join(control(d.file, sys.Clear), d.discard())
}

// bindFree tries devices until one is bound.
func (d *Device) bindFree(ctx context.Context, config *sys.Config) error {
	ctl, err := d.nodes.openControl()
	if err != nil {
		return err
	}
	defer sys.Close(ctl)
	last, stuck := -1, 0
	for attempt := range maxAttempts {
		var number int
		if stuck == stuckAttempts {
			number, err = freeAbove(ctl, last)
			stuck = 0
		} else {
			number, err = sys.FreeNumber(ctl)
		}
		if err != nil {
			return err
		}
		if err = d.bind(number, config); !isRace(err) {
			return err
		}
		if number == last {
			stuck++
		} else {
			last, stuck = number, 0
		}
		if err2 := backOff(ctx, attempt); err2 != nil {
			return fmt.Errorf("%w, after: %w", err2, err)
		}
	}
	return fmt.Errorf("%w after %d attempts: %w", ErrBusy, maxAttempts, err)
}

// freeAbove returns the number of an unbound device above n, a new one if there
// is none.
func freeAbove(ctl, n int) (int, error) {
	numbers, err := loopNumbers()
	if err != nil {
		return 0, err
	}
	for _, number := range numbers {
		if number <= n {
			continue
		}
		if _, err := os.Lstat(sysBlock + "loop" + strconv.Itoa(number) + "/loop"); errors.Is(err, fs.ErrNotExist) {
			return number, nil
		}
	}
	return sys.AddDevice(ctl)
}

// isRace reports whether err says that the free device is not free any more:
// bound or claimed by another (EBUSY), locked by another (EAGAIN), or removed.
func isRace(err error) bool {
	return errors.Is(err, sys.EBUSY) || errors.Is(err, sys.EAGAIN) || isRemoved(err)
}

// isRemoved reports whether err says that there is no such device (any more).
func isRemoved(err error) bool {
	return errors.Is(err, sys.ENXIO) || errors.Is(err, sys.ENOENT) || errors.Is(err, sys.ENODEV)
}

// backOff waits before the attempt after the given one.
func backOff(ctx context.Context, attempt int) error {
	limit := min(firstBackoff<<min(attempt, 20), maxBackoff)
	timer := time.NewTimer(rand.N(limit) + time.Microsecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// openControl opens /dev/loop-control.
func (n *nodes) openControl() (int, error) {
	const name = "loop-control"
	fd, err := sys.Open("/dev/"+name, sys.ReadWrite)
	if !errors.Is(err, sys.ENOENT) {
		return fd, err
	}
	num, err2 := sysfsNumber("/sys/class/misc/" + name)
	if err2 != nil {
		return -1, fmt.Errorf("the kernel has no loop driver, or its module is not loaded: %w", err)
	}
	fd, _, err = n.open(name, sys.CharDevice, num, sys.ReadWrite)
	return fd, err
}

// bind configures the device loopNUMBER, which was free a moment ago.
func (d *Device) bind(number int, config *sys.Config) error {
	flags := sys.ReadWrite
	if config.Flags&sys.FlagReadOnly != 0 {
		flags = sys.ReadOnly
	}
	name := "loop" + strconv.Itoa(number)
	path := "/dev/" + name
	fd, err := sys.Open(path, flags)
	if err == nil {
		if err = d.configure(fd, path, uint32(number), config); !errors.Is(err, errWrongNode) {
			return err
		}
	} else if !errors.Is(err, sys.ENOENT) && !errors.Is(err, sys.ENXIO) {
		return err
	}
	// No node in /dev, or that of another device, which there need not be: the
	// number of a node that was computed, with max_part, is that of a partition.
	num, err := sysfsNumber(sysBlock + name)
	if err != nil {
		return err
	}
	if fd, path, err = d.nodes.open(name, sys.BlockDevice, num, flags); err != nil {
		return err
	}
	return d.configure(fd, path, uint32(number), config)
}

// errWrongNode says that the node opened is not that of the free device.
var errWrongNode = errors.New("node of another device")

// configure binds the device open at fd, of which it takes ownership.
func (d *Device) configure(fd int, path string, number uint32, config *sys.Config) (err error) {
	defer func() {
		if err != nil {
			sys.Close(fd)
		}
	}()
	st, err := sys.Fstat(fd)
	if err != nil {
		return err
	}
	// The ioctl must not reach a driver that gives its number another meaning.
	if st.Type != sys.BlockDevice || deviceNumber(st.Rdev).Major != sys.Major {
		return errWrongNode
	}
	if hasUdev() {
		if err := sys.LockShared(fd); err != nil {
			return err
		}
	}
	if err := sys.Configure(fd, config); err != nil {
		return explainBlockSize(err, int(config.BlockSize))
	}
	if err := d.readBack(fd); err != nil {
		_ = sys.Clear(fd)
		return err
	}
	if d.number != number {
		_ = sys.Clear(fd)
		return errWrongNode
	}
	d.dev, d.path = deviceNumber(st.Rdev), path
	d.file = os.NewFile(uintptr(fd), path)
	return nil
}

// explainBlockSize makes of EINVAL, which can only be about the block size after
// the checks of Options, what it means.
func explainBlockSize(err error, size int) error {
	if errors.Is(err, sys.EINVAL) && size > os.Getpagesize() {
		return fmt.Errorf("%w (%w)", &OptionError{"BlockSize", size,
			fmt.Sprintf("at most %d, the size of a page, on this kernel", os.Getpagesize())}, err)
	}
	return err
}
