package loop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/drivebay/drivebay/loop/internal/parttable"
	"github.com/drivebay/drivebay/loop/internal/sys"
)

// maxPartition is the highest number of a partition: DISK_MAX_PARTS less one,
// include/linux/genhd.h.
const maxPartition = 255

// Partition is a partition of a [Device], known to the kernel.
type Partition struct {
	Number int    // from 1
	Name   string // the kernel's: "loop3p1"
	Start  int64  // bytes from the start of the device
	Size   int64  // bytes
	// Device is the number of the partition's node. It has no fixed relation to
	// that of the whole device.
	Device DeviceNumber

	disk *Device
	path string
}

// Path returns a path of the partition's node: "/dev/loop3p1", or, where /dev
// has no such node, one below /proc/PID/fd, which this process and its children
// can use until the Device is closed.
func (p Partition) Path() string { return p.path }

// String returns the path, number, start and size.
func (p Partition) String() string {
	return fmt.Sprintf("%s (partition %d, start %d, size %d)", p.path, p.Number, p.Start, p.Size)
}

// Open opens the partition, with flags of [os.OpenFile]; also where /dev has no
// node of it. The caller closes the file; until then the whole device stays
// bound.
//
// NB: the ioctls of loop devices reach the whole device through this file.
func (p Partition) Open(flag int) (*os.File, error) { return p.disk.openPartition(p, flag) }

// Partitions returns the partitions of the device in the order of their
// numbers: those that the kernel knows; and where it knows none, because it has
// no parser for the table, those of the GPT or MBR on the device, made known to
// it. An image without a partition table gives none, and no error.
//
// An extended MBR partition is listed with the 1024 bytes (or the one block)
// that the kernel shows of it.
//
// Calls on one Device wait for each other. Those on another Device of the same
// attachment, in any process, may find the table half added.
//
// At return every partition has a node. ctx bounds the wait for udev, where the
// machine has one. All partitions of a table are added, or none: the error
// matches [ErrTable] or is a [PartitionError].
func (d *Device) Partitions(ctx context.Context) ([]Partition, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	parts, err := d.partitions(ctx)
	if err != nil {
		return nil, fmt.Errorf("loop: partitions of %s: %w", d.Name(), err)
	}
	return parts, nil
}

func (d *Device) partitions(ctx context.Context) ([]Partition, error) {
	if d.closed {
		return nil, fs.ErrClosed
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	d.lockTable()
	parts, err := d.known()
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		table, err := d.readTable()
		if err != nil || len(table) == 0 {
			return nil, err
		}
		if err := d.addTable(table); err != nil {
			return nil, err
		}
		if parts, err = d.known(); err != nil {
			return nil, err
		}
	}
	for i := range parts {
		if parts[i].path, err = d.awaitNode(ctx, parts[i].Name, parts[i].Device); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// known returns what sysfs lists, without paths.
func (d *Device) known() ([]Partition, error) {
	dir := sysBlock + d.Name() + "/"
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var parts []Partition
	for _, name := range names {
		if !strings.HasPrefix(name, d.Name()+"p") {
			continue
		}
		p, err := d.readPartition(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, sys.ENODEV) {
			continue // just being deleted
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b Partition) int { return cmp.Compare(a.Number, b.Number) })
	return parts, nil
}

// readPartition reads one partition's attributes. Whatever the logical block
// size, sysfs counts in units of 512 bytes.
func (d *Device) readPartition(name string) (Partition, error) {
	dir := sysBlock + d.Name() + "/" + name
	p := Partition{Name: name, disk: d}
	number, err := sysfsInt(dir + "/partition")
	if err != nil {
		return p, err
	}
	start, err := sysfsInt(dir + "/start")
	if err != nil {
		return p, err
	}
	size, err := sysfsInt(dir + "/size")
	if err != nil {
		return p, err
	}
	p.Number, p.Start, p.Size = int(number), start*512, size*512
	p.Device, err = sysfsNumber(dir)
	return p, err
}

// readTable reads the partition table on the device.
func (d *Device) readTable() ([]parttable.Entry, error) {
	table, err := parttable.Read(d.file, d.Size(), d.BlockSize())
	if errors.Is(err, parttable.ErrDamaged) {
		err = fmt.Errorf("%w: %w", ErrTable, err)
	}
	return table, err
}

// addTable makes the partitions known to the kernel, all of them or none.
func (d *Device) addTable(table []parttable.Entry) error {
	var added []int
	for _, e := range table {
		err := d.addPartition(e.Number, e.Start, e.Size)
		switch {
		case err == nil:
			added = append(added, e.Number)
		case errors.Is(err, fs.ErrExist):
			// Somebody else is adding the same table.
		default:
			for _, number := range added {
				_ = control(d.file, func(fd int) error { return sys.DeletePartition(fd, number) })
			}
			return err
		}
	}
	return nil
}

// AddPartition makes a partition known to the kernel; start and size are bytes
// and multiples of the block size, number is from 1 to 255. The partition table
// on the device, if any, stays as it is. The error is a [PartitionError].
func (d *Device) AddPartition(ctx context.Context, number int, start, size int64) (Partition, error) {
	return d.changePartition(ctx, number, func() error { return d.addPartition(number, start, size) })
}

// ResizePartition changes the size in bytes that the kernel knows of a
// partition, also of one in use. The error is a [PartitionError].
func (d *Device) ResizePartition(ctx context.Context, number int, size int64) (Partition, error) {
	return d.changePartition(ctx, number, func() error {
		p, err := d.readPartition(d.Name() + "p" + strconv.Itoa(number))
		if err != nil {
			return &PartitionError{"resize", d.Name(), number, 0, size, err}
		}
		return d.pgError("resize", number, p.Start, size, func(fd int) error {
			return sys.ResizePartition(fd, number, p.Start, size)
		})
	})
}

// DeletePartition makes the kernel forget a partition. The error is a
// [PartitionError]; it matches [ErrBusy] while the partition is open or
// mounted, with a [BusyError] inside that tells by whom, and [fs.ErrNotExist]
// where there is none of that number. A udevd that looks at it is waited for.
func (d *Device) DeletePartition(number int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.deletePartition(number); err != nil {
		return fmt.Errorf("loop: %w", err)
	}
	return nil
}

// deletePartition makes the kernel forget one partition.
func (d *Device) deletePartition(number int) error {
	// The place is of no account, and has to be one.
	return outlastUdev(func() error {
		return d.pgError("delete", number, 0, int64(d.BlockSize()), func(fd int) error { return sys.DeletePartition(fd, number) })
	})
}

// changePartition makes one change and returns the partition as it is then.
func (d *Device) changePartition(ctx context.Context, number int, change func() error) (Partition, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lockTable()
	if err := change(); err != nil {
		return Partition{}, fmt.Errorf("loop: %w", err)
	}
	name := d.Name() + "p" + strconv.Itoa(number)
	p, err := d.readPartition(name)
	if err == nil {
		p.path, err = d.awaitNode(ctx, name, p.Device)
	}
	if err != nil {
		return Partition{}, fmt.Errorf("loop: partition %d of %s: %w", number, d.Name(), err)
	}
	return p, nil
}

// addPartition makes one partition known to the kernel.
func (d *Device) addPartition(number int, start, size int64) error {
	return d.pgError("add", number, start, size, func(fd int) error {
		return sys.AddPartition(fd, number, start, size)
	})
}

// pgError checks a partition, makes the call, and says what its error number
// means: the kernel has one for several causes.
func (d *Device) pgError(op string, number int, start, size int64, call func(fd int) error) error {
	fail := func(err error) error { return &PartitionError{op, d.Name(), number, start, size, err} }
	bs, end := int64(d.BlockSize()), d.Size()
	switch {
	case d.closed:
		return fail(fs.ErrClosed)
	case number < 1 || number > maxPartition:
		return fail(fmt.Errorf("%w: want a number from 1 to %d", fs.ErrInvalid, maxPartition))
	case start < 0 || start%bs != 0:
		return fail(fmt.Errorf("%w: want a start that is a multiple of the block size %d", fs.ErrInvalid, bs))
	case size <= 0 || size%bs != 0:
		return fail(fmt.Errorf("%w: want a size that is a positive multiple of the block size %d", fs.ErrInvalid, bs))
	case start > end || size > end-start:
		return fail(fmt.Errorf("%w, which has %d bytes", ErrPastEnd, end))
	}
	err := control(d.file, call)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sys.ENXIO):
		return fail(fmt.Errorf("%w (%w)", fs.ErrNotExist, err))
	case errors.Is(err, sys.EBUSY):
		return fail(fmt.Errorf("%w (%w)", d.whyBusy(op, number), err))
	}
	return fail(err)
}

// whyBusy returns what EBUSY means for a partition.
func (d *Device) whyBusy(op string, number int) error {
	partition := d.Name() + "p" + strconv.Itoa(number)
	if op == "delete" {
		return busy(d.Name(), partition)
	}
	_, err := os.Lstat(sysBlock + d.Name() + "/" + partition)
	if op == "add" && err == nil {
		return fs.ErrExist
	}
	return ErrOverlap
}
