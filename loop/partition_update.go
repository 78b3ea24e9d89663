package loop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/drivebay/drivebay/loop/internal/parttable"
	"github.com/drivebay/drivebay/loop/internal/sys"
)

// UpdatePartitions makes the partitions that the kernel knows those of the table
// on the device, as it is now, and returns them: after sfdisk has changed it, say,
// or after the device has grown. Partitions that are as the table has them are not
// touched, and may be in use; so may those that only change their size.
//
// A device without a table loses all partitions. A damaged table changes nothing,
// and the error matches [ErrTable]; one that the kernel does not take is a
// [PartitionError], and what was changed up to there stays: first partitions are
// deleted, then shrunk, then grown, then added. A partition that is to go and is in
// use is a [BusyError] inside a PartitionError.
//
// The table is read through the device. Changes made to the file behind its back
// may not be seen.
func (d *Device) UpdatePartitions(ctx context.Context) ([]Partition, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	parts, err := d.updatePartitions(ctx)
	if err != nil {
		return nil, fmt.Errorf("loop: update partitions of %s: %w", d.Name(), err)
	}
	return parts, nil
}

func (d *Device) updatePartitions(ctx context.Context) ([]Partition, error) {
	if d.closed {
		return nil, fs.ErrClosed
	}
	d.lockTable()
	table, err := d.readTable()
	if err != nil {
		return nil, err
	}
	have, err := d.known()
	if err != nil {
		return nil, err
	}
	for _, c := range changes(have, table) {
		if err := d.apply(c); err != nil {
			return nil, err
		}
	}
	if len(table) == 0 {
		return nil, nil
	}
	return d.partitions(ctx)
}

// partitionChange is one step of an update: to an Entry without a size, which is
// to go, or with another size than there is, or to a new one.
type partitionChange struct {
	op string
	parttable.Entry
}

// changes returns the steps from the partitions that there are to those of the
// table, in an order in which none is in the way of another.
func changes(have []Partition, table []parttable.Entry) []partitionChange {
	want := map[int]parttable.Entry{}
	for _, e := range table {
		want[e.Number] = e
	}
	var gone, shrunk, grown, added []partitionChange
	for _, p := range have {
		e, ok := want[p.Number]
		switch {
		case !ok || e.Start != p.Start:
			gone = append(gone, partitionChange{"delete", parttable.Entry{Number: p.Number}})
			continue // and added where it is to be
		case e.Size < p.Size:
			shrunk = append(shrunk, partitionChange{"resize", e})
		case e.Size > p.Size:
			grown = append(grown, partitionChange{"resize", e})
		}
		delete(want, p.Number)
	}
	for _, e := range table {
		if _, ok := want[e.Number]; ok {
			added = append(added, partitionChange{"add", e})
		}
	}
	all := append(gone, shrunk...)
	all = append(all, grown...)
	return append(all, added...)
}

func (d *Device) apply(c partitionChange) error {
	switch c.op {
	case "delete":
		err := d.deletePartition(c.Number)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // udev was faster
		}
		return err
	case "resize":
		return d.pgError("resize", c.Number, c.Start, c.Size, func(fd int) error {
			return sys.ResizePartition(fd, c.Number, c.Start, c.Size)
		})
	}
	err := d.addPartition(c.Number, c.Start, c.Size)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
