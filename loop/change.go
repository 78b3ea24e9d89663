package loop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

// change makes a change to the device, under its lock, and reads back what came
// of it, also where the change failed half-way.
func (d *Device) change(what string, make func(fd int) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := fs.ErrClosed
	if !d.closed {
		err = control(d.file, func(fd int) error { return errors.Join(make(fd), d.readBack(fd)) })
	}
	switch {
	case errors.Is(err, sys.ENXIO):
		err = fmt.Errorf("%w (%w)", ErrNotBound, err)
	case errors.Is(err, sys.EBUSY):
		err = fmt.Errorf("%w (%w)", busy(d.Name(), d.Name()), err)
	}
	if err != nil {
		return fmt.Errorf("loop: %s of %s: %w", what, d.Name(), err)
	}
	return nil
}

// Refresh gives the device the size that its file has come to have, up to the
// Size of its [Options] (LOOP_SET_CAPACITY). [Device.Size] tells it afterwards.
//
// It may be done while the device is in use. Partitions stay as they are, those
// too that reach past a new end, where reads fail with EIO and writes make the
// file grow again; [Device.UpdatePartitions] follows a table that was changed. The
// kernel rounds down to 512 bytes; a size that is no multiple of a larger block
// is an [OptionError], and the device is left with it until the file has a better
// one and Refresh is called again.
func (d *Device) Refresh() error {
	return d.change("refresh size", func(fd int) error {
		if err := sys.SetCapacity(fd); err != nil {
			return err
		}
		size, err := sys.SizeBytes(fd)
		if bs := int64(d.BlockSize()); err == nil && size%bs != 0 {
			err = &OptionError{"backing", fmt.Sprintf("%d bytes long after Offset %d", size, d.Offset()),
				fmt.Sprintf("a multiple of the block size %d, such as %d", bs, size-size%bs)}
		}
		return err
	})
}

// SetBlockSize changes the logical block size in bytes: a power of two from 512 to
// 65536, of which the size of the device and the start and size of each of its
// partitions are multiples. It takes some 16 ms, where [Options] take none. While
// the device or a partition is mounted or open by others, newer kernels refuse
// with a [BusyError], and older ones do as they are told.
func (d *Device) SetBlockSize(size int) error {
	return d.change("set block size", func(fd int) error {
		o := Options{BlockSize: size}
		if size == 0 {
			return &OptionError{"BlockSize", size, fmt.Sprintf("a power of two from %d to %d", minBlockSize, maxBlockSize)}
		}
		if err := errors.Join(o.checkModes(nil), d.checkAligned(size)); err != nil {
			return err
		}
		return d.setBlockSize(fd, size)
	})
}

// checkAligned refuses a block size at which the device or a partition would not
// end on a block.
func (d *Device) checkAligned(size int) error {
	bad := func(what string, n int64) error {
		return &OptionError{"BlockSize", size, fmt.Sprintf("one of which %s, %d, is a multiple", what, n)}
	}
	bs := int64(size)
	if d.Size()%bs != 0 {
		return bad("the size of the device", d.Size())
	}
	parts, err := d.known()
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.Start%bs != 0 {
			return bad("the start of "+p.Name, p.Start)
		}
		if p.Size%bs != 0 {
			return bad("the size of "+p.Name, p.Size)
		}
	}
	return nil
}

// setBlockSize tries for a while: kernels before 6.11 give EAGAIN where the page
// cache of the device is not empty, which reading it can bring about at any time.
func (d *Device) setBlockSize(fd, size int) error {
	for attempt := 0; ; attempt++ {
		err := sys.SetBlockSize(fd, size)
		if !errors.Is(err, sys.EAGAIN) || attempt == passingAttempts {
			return explainBlockSize(err, size)
		}
		_ = backOff(context.Background(), attempt)
	}
}

// SetDirectIO turns direct I/O on the file on or off: with [DirectIORequire] an
// error, which matches [ErrDirectIO], where the kernel will not; with
// [DirectIOTry] the outcome is what [Device.DirectIO] tells.
func (d *Device) SetDirectIO(dio DirectIO) error {
	return d.change("set direct I/O", func(fd int) error {
		o := Options{DirectIO: dio}
		if err := o.checkModes(nil); err != nil {
			return err
		}
		err := sys.SetDirectIO(fd, dio != DirectIOOff)
		if !errors.Is(err, sys.EINVAL) {
			return err
		}
		if dio == DirectIOTry {
			return nil
		}
		return fmt.Errorf("%w (%w)", ErrDirectIO, err)
	})
}

// ChangeBacking puts another file behind the device, which has to be attached with
// ReadOnly (LOOP_CHANGE_FD): an image that has moved, or the same in another
// place. The file has to show as many bytes as the device has, from its Offset;
// whether they are the same bytes is the caller's care. The caller keeps owning
// it, and may close it.
//
// A file that is attached already is refused with [ErrShared], unless the Device
// was attached with AllowShared.
//
// For the kernel this is a change of medium: it forgets what it has read of the old
// file, and the device gets a new [Device.DiskSeq]. Partitions that are mounted go
// on; what a file system on the whole device makes of it is its own affair. Where
// nobody has a partition open, the kernel also reads the partition table anew;
// partitions that it does not find are put back as they were. Their device numbers
// can have changed: ask for [Device.Partitions] again. Where somebody has one open,
// Linux 6.1 does so when the disk is opened after that one was closed, and forgets
// those that are not in the table.
func (d *Device) ChangeBacking(ctx context.Context, file *os.File) error {
	if file == nil {
		return fmt.Errorf("loop: change backing of %s: %w", d.Name(), &OptionError{"backing", nil, "an open file"})
	}
	return d.change("change backing", func(fd int) error {
		return control(file, func(backingFD int) error {
			b, err := inspect(file, backingFD)
			if err != nil {
				return err
			}
			return d.changeBacking(ctx, fd, &b)
		})
	})
}

func (d *Device) changeBacking(ctx context.Context, fd int, b *backing) error {
	if err := d.checkBacking(b); err != nil {
		return err
	}
	if !d.allowShared {
		if err := refuseShared(ctx, b); err != nil {
			return err
		}
	}
	d.lockTable()
	parts, err := d.known()
	if err != nil {
		return err
	}
	if err := sys.ChangeBacking(fd, b.fd); err != nil {
		return err
	}
	d.rereadTable(fd, parts)
	return d.restore(parts)
}

// rereadTable has the kernel read the table once more where a udevd, looking at a
// partition just then, has kept it from doing so with the change of medium. Linux
// 6.1 would do it when somebody opens the disk next (block/bdev.c, blkdev_get_whole),
// and forget the partitions that are not in the table.
func (d *Device) rereadTable(fd int, parts []Partition) {
	if len(parts) == 0 {
		return
	}
	// Whoever else has a partition open may go on, and a device that is not scanned for
	// partitions keeps them.
	_ = outlastUdev(func() error {
		err := sys.RereadTable(fd)
		if !errors.Is(err, sys.EBUSY) {
			return err
		}
		busy := &BusyError{Device: d.Name()}
		for _, p := range parts {
			holders, _ := holdersOf(d.Name(), p.Name)
			busy.Holders = append(busy.Holders, holders...)
		}
		return busy
	})
}

// checkBacking refuses a file that the kernel would refuse with EINVAL.
func (d *Device) checkBacking(b *backing) error {
	if !d.ReadOnly() {
		return fmt.Errorf("%w: the device is writable: want one attached with ReadOnly", fs.ErrInvalid)
	}
	if err := (&Options{ReadOnly: true}).checkFile(b); err != nil {
		return err
	}
	shown := b.size - d.Offset()
	if limit := int64(d.state.Load().status.SizeLimit); limit > 0 {
		shown = min(shown, limit)
	}
	if shown -= shown % 512; shown != d.Size() {
		return &OptionError{"backing", fmt.Sprintf("%d bytes long", b.size),
			fmt.Sprintf("a file that shows the %d bytes that the device has", d.Size())}
	}
	return nil
}

// restore adds those partitions again that the kernel does not know any more.
func (d *Device) restore(parts []Partition) error {
	left, err := d.known()
	if err != nil {
		return err
	}
	known := map[int]bool{}
	for _, p := range left {
		known[p.Number] = true
	}
	for _, p := range parts {
		if known[p.Number] {
			continue
		}
		if err := d.addPartition(p.Number, p.Start, p.Size); err != nil {
			return err
		}
	}
	return nil
}
