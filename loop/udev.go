package loop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

// hasUdev reports whether there is a udev.
func hasUdev() bool { return sys.Exists("/run/udev/control") }

// udevIsQuiet reports whether udevd has nothing to do: libudev,
// udev_queue_get_queue_is_empty.
func udevIsQuiet() bool { return !sys.Exists("/run/udev/queue") }

// How long a Device has the disk locked: until udevd was found quiet so often in
// succession, or busy so often, which takes about a minute. It is looks that count, and
// not time: after a standstill of the whole machine udevd, too, has its turn between
// them. While it is busy they become rarer, for there may be a thousand devices.
const (
	quietInterval = 50 * time.Millisecond
	quietLooks    = 10
	busyLooks     = 40
	mostDoublings = 5
)

// tableLock is the shared lock (flock(2)) of a whole disk under which udevd looks at
// it as ever, but does not have the kernel read the partition table anew. It does
// that whenever somebody has closed the disk after writing, also if that was long ago
// and another file was attached (https://systemd.io/BLOCK_DEVICE_LOCKING).
//
// It is not kept for the device's life: mkfs.btrfs, systemd-repart, sfdisk --lock and
// others wait for an exclusive one, and mtools gives up without.
type tableLock struct {
	timer       *time.Timer // runs while it is locked
	quiet, busy int         // looks
}

// lockTable locks the disk, or does so for longer: until udevd has been quiet for a
// while. Who has it exclusively keeps udevd away as well; and udevd itself has it so
// while the table is read.
func (d *Device) lockTable() {
	if d.closed || !hasUdev() {
		return
	}
	for attempt := range maxAttempts {
		if err := control(d.file, sys.LockShared); !errors.Is(err, sys.EAGAIN) {
			break
		}
		_ = backOff(context.Background(), attempt)
	}
	l := &d.tableLock
	l.quiet, l.busy = 0, 0
	if l.timer == nil {
		l.timer = time.AfterFunc(quietInterval, d.lookAtUdev)
	}
}

// lookAtUdev ends the lock, or has the timer call it again.
func (d *Device) lookAtUdev() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	l, pause := &d.tableLock, quietInterval
	if udevIsQuiet() {
		l.quiet++
	} else {
		l.quiet, l.busy = 0, l.busy+1
		pause <<= min(l.busy, mostDoublings)
	}
	if l.quiet < quietLooks && l.busy < busyLooks {
		l.timer.Reset(pause)
		return
	}
	l.timer = nil
	_ = control(d.file, sys.Unlock)
}

// awaitNode returns the path of a node, once there is one.
//
// On a devtmpfs the kernel has made it before the partition was there to see. But
// when somebody has the table read anew, partitions vanish for an instant
// (https://github.com/systemd/systemd/issues/41425).
func (d *Device) awaitNode(ctx context.Context, name string, num DeviceNumber) (string, error) {
	path := "/dev/" + name
	if hasUdev() && d.path == "/dev/"+d.Name() { // else it is at work on another /dev
		for attempt := range maxAttempts {
			if nodeAt(path, sys.BlockDevice, num) {
				return path, nil
			}
			if err := backOff(ctx, attempt); err != nil {
				return "", fmt.Errorf("wait for udev to make %s: %w", path, err)
			}
		}
	}
	return d.nodes.find(name, sys.BlockDevice, num)
}

// openPartition opens the node of a partition, which can be gone for an instant where
// there is a udevd, and come back with another number.
func (d *Device) openPartition(p Partition, flag int) (*os.File, error) {
	f, err := d.openNode(p.Name, p.Device, flag)
	for attempt := 0; isRemoved(err) && hasUdev() && attempt < maxAttempts; attempt++ {
		_ = backOff(context.Background(), attempt)
		if now, err2 := d.readPartition(p.Name); err2 == nil && now.Start == p.Start && now.Size == p.Size {
			f, err = d.openNode(p.Name, now.Device, flag)
		}
	}
	return f, err
}

// udevPatience bounds the wait for a udevd to close what it looks at, which it does
// by itself: it takes milliseconds, but on a machine that is busy with other things.
const udevPatience = 30 * time.Second

// outlastUdev tries again for as long as nobody but udevd is in the way, or, for a
// shorter while, somebody who was gone before he was looked for.
func outlastUdev(try func() error) error {
	begin, unseen := time.Now(), 0
	for attempt := 0; ; attempt++ {
		err := try()
		var busy *BusyError
		if !errors.As(err, &busy) || !areUdev(busy.Holders) || time.Since(begin) > udevPatience {
			return err
		}
		if unseen++; len(busy.Holders) > 0 {
			unseen = 0
		}
		if unseen > passingAttempts {
			return err
		}
		_ = backOff(context.Background(), attempt)
	}
}

// areUdev reports whether all of these are processes of a udevd.
func areUdev(holders []Holder) bool {
	return !slices.ContainsFunc(holders, func(h Holder) bool { return h.Kind != HeldByProcess || !isUdev(h.Name) })
}

// isUdev reports whether a process is one of a udevd by its name: systemd-udevd, udevd,
// (udev-worker).
func isUdev(name string) bool { return strings.Contains(name, "udev") }

// hasUdevOpen reports whether a udevd has a device or a partition of it open. It looks
// at no other process.
func hasUdevOpen(device string) bool {
	s, err := newSearch(device, "")
	if err != nil {
		return false
	}
	eachProcess(func(dir string, pid int) {
		if name, _ := sysfsString(dir + "comm"); isUdev(name) {
			s.files(dir, pid)
		}
	})
	return len(s.found) > 0
}
