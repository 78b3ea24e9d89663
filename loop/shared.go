package loop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

// lastLooks is how often refuseShared looks again: about 0.2 s in all.
const lastLooks = 80

// bindAlone binds the file of b unless it is attached already, and is exact among
// all who use it, in whatever process: it looks, binds and looks again. Of two who
// bind in the same instant, the one whose LOOP_CONFIGURE is done last sees the
// other when it looks again; whoever sees another withdraws, waits for a random
// while and begins anew, so that it comes to one, who is seen by all others.
//
// A lock of the file would do as well, but is not this package's to take: flock
// and the locks of fcntl belong to whoever uses the file. A program that binds
// without looking, such as losetup, is seen if it was earlier.
func bindAlone(ctx context.Context, b *backing, bind func() (*Device, error)) (*Device, error) {
	for attempt := 0; ; attempt++ {
		if err := refuseShared(ctx, b); err != nil {
			return nil, err
		}
		d, err := bind()
		if err != nil {
			return nil, err
		}
		others, err := d.sharers(b)
		if err == nil && len(others) == 0 {
			return d, nil
		}
		if err = errors.Join(err, d.withdraw()); err != nil {
			return nil, err
		}
		if attempt == maxAttempts {
			return nil, shared(others[0])
		}
		if err := backOff(ctx, attempt+collisionRounds); err != nil {
			return nil, err
		}
	}
}

// collisionRounds makes the wait after a collision several times as long as
// binding takes, from the first on: else those who collided do so again.
const collisionRounds = 5

// sharers returns the other devices on the file of b.
func (d *Device) sharers(b *backing) ([]Info, error) {
	bound, err := boundNumbers()
	if err != nil {
		return nil, err
	}
	own := func(n int) bool { return n == int(d.number) }
	return findInode(slices.DeleteFunc(bound, own), b.fd, b.stat)
}

// shared returns the error of a file that is attached already.
func shared(to Info) error {
	return fmt.Errorf("%w, to %s (offset %d, size limit %d)", ErrShared, to.Name, to.Offset, to.SizeLimit)
}

// refuseShared fails when the file of b is attached already, and stays so.
//
// The kernel has no such check, nor a way to ask which devices an inode backs.
// Attaching must not slow down with the number of loop devices that merely
// exist, so this looks at the bound ones alone, as /proc/partitions lists them
// (a device without a single block is not there).
//
// An attachment that was just closed can last a moment longer: because of a
// child process that has not executed its program yet, of a process that came
// too late to bind the same device, or of a look like this one. On a busy
// machine that moment can be long. So this looks again before it refuses,
// unless the device is one that persists, and for as long as only a udevd has it.
//
// It is one half of [bindAlone]: two calls in the same instant can both find
// nothing.
func refuseShared(ctx context.Context, b *backing) error {
	begin, byUdev := time.Now(), false
	for attempt := 0; ; attempt++ {
		bound, err := boundNumbers()
		if err != nil {
			return err
		}
		found, err := findInode(bound, b.fd, b.stat)
		if err != nil || len(found) == 0 {
			return err
		}
		if !found[0].Autoclear || attempt > lastLooks && !byUdev {
			return shared(found[0])
		}
		// What has let go by now is found out by the next look.
		byUdev = attempt >= lastLooks && time.Since(begin) < udevPatience && hasUdevOpen(found[0].Name)
		if err := backOff(ctx, attempt); err != nil {
			return err
		}
	}
}

// boundNumbers returns the numbers of the loop devices that have a capacity.
func boundNumbers() ([]int, error) {
	fd, err := sys.Open("/proc/partitions", sys.ReadOnly)
	if err != nil {
		return loopNumbers()
	}
	defer sys.Close(fd)
	var array [4096]byte
	text := array[:0]
	for {
		n, err := sys.Read(fd, text[len(text):cap(text)])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return parsePartitions(text), nil
		}
		text = text[:len(text)+n]
		if len(text) == cap(text) {
			text = slices.Grow(text, len(text))
		}
	}
}

// parsePartitions returns the numbers of the loop devices in /proc/partitions,
// where each line is of a disk or partition and ends in its name.
func parsePartitions(text []byte) []int {
	var numbers []int
	for {
		// Most machines have other disks only; this finds that out fast.
		i := bytes.Index(text, []byte(" loop"))
		if i < 0 {
			return numbers
		}
		name, rest, _ := bytes.Cut(text[i+1:], []byte("\n"))
		if n, ok := loopNumber(string(name)); ok {
			numbers = append(numbers, n)
		}
		text = rest
	}
}

// findInode returns those of the loop devices whose backing file is the inode
// of st, open at fd.
func findInode(numbers []int, fd int, st sys.Stat) ([]Info, error) {
	if len(numbers) == 0 {
		return nil, nil
	}
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return nil, err
	}
	var found []Info
	var n nodes
	defer n.close()
	for _, number := range numbers {
		name := "loop" + strconv.Itoa(number)
		backing, err := sysfsString(sysBlock + name + "/loop/backing_file")
		if err != nil || !maybeSame(backing, path, st) {
			continue
		}
		info, err := readInfo(name)
		if err != nil {
			continue // just being unbound
		}
		same, err := backedBy(&n, info, st)
		if err != nil && !isRace(err) {
			return nil, err
		}
		if same {
			found = append(found, info)
		}
	}
	return found, nil
}

// maybeSame reports whether the file that sysfs calls backing can be the one
// called path with the inode of st. It spares opening devices that back other
// files: an open descriptor keeps an AUTOCLEAR device bound.
func maybeSame(backing, path string, st sys.Stat) bool {
	if backing == path {
		return true
	}
	// A deleted file, a memfd among them, has one name, which the kernel tells
	// the same way in both places.
	if strings.HasSuffix(backing, " (deleted)") {
		return false
	}
	// A hard link or another mount of the same file; or a name of another mount
	// namespace, which may be anything.
	other, err := sys.StatPath(backing)
	return err != nil || other.Dev == st.Dev && other.Ino == st.Ino
}

// backedBy asks the device itself.
func backedBy(n *nodes, info Info, st sys.Stat) (bool, error) {
	fd, _, err := n.open(info.Name, sys.BlockDevice, info.Number, sys.ReadOnly)
	if err != nil {
		return false, err
	}
	defer sys.Close(fd)
	status, err := sys.GetStatus(fd)
	if err != nil {
		return false, err
	}
	return status.Dev == st.Dev && status.Ino == st.Ino, nil
}
