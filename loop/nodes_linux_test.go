package loop_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/loop"
)

// A container's /dev is a tmpfs with the few nodes that it was given.
func TestDevWithoutTheNodes(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireTool(t, "true")
	for _, name := range []string{"nodes in a plain tmpfs", "nodes of other devices"} {
		t.Run(name, func(t *testing.T) {
			cmd := child(t, name)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
			out, err := cmd.Output()
			require.NoErrorf(t, err, "%s", out)
		})
	}
}

// nodesInPlainTmpfs uses a device and its partition where /dev has neither, nor
// loop-control.
func nodesInPlainTmpfs() error {
	if err := plainDev(); err != nil {
		return err
	}
	return useAll(func(path string) error {
		if strings.HasPrefix(path, "/dev/") {
			return fmt.Errorf("%s: there is no such node", path)
		}
		return nil
	})
}

// nodesOfOtherDevices does the same where every loopN is the node of the device
// with the next number, as names that were computed could be with max_part.
func nodesOfOtherDevices() error {
	if err := plainDev(); err != nil {
		return err
	}
	devices, err := filepath.Glob("/sys/block/loop*")
	if err != nil {
		return err
	}
	for _, dir := range devices {
		n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), "loop"))
		if err != nil {
			return err
		}
		err = unix.Mknod("/dev/"+filepath.Base(dir), unix.S_IFBLK|0o600, int(unix.Mkdev(7, uint32((n+1)%len(devices)))))
		if err != nil {
			return err
		}
	}
	return useAll(func(path string) error {
		if strings.HasPrefix(path, "/dev/") {
			return fmt.Errorf("%s is another device", path)
		}
		return nil
	})
}

// plainDev puts a tmpfs with /dev/null over /dev, for this process alone.
func plainDev() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/dev", "tmpfs", 0, ""); err != nil {
		return err
	}
	return unix.Mknod("/dev/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3)))
}

// useAll attaches a file, opens the device and a partition in every way, and
// has another program open them by the paths.
func useAll(checkPath func(string) error) error {
	fd, err := unix.MemfdCreate(os.Getenv(childMark), unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "memfd")
	if err := f.Truncate(4 * mib); err != nil {
		return err
	}
	// The first pipe makes the runtime open its poller.
	if _, err := exec.Command("true").Output(); err != nil {
		return err
	}
	before, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	d, err := loop.Attach(context.Background(), f, loop.Options{})
	if err != nil {
		return err
	}
	defer d.Close()
	p, err := d.AddPartition(context.Background(), 3, mib, mib)
	if err != nil {
		return err
	}
	parts, err := d.Partitions(context.Background())
	if err != nil || len(parts) != 1 || parts[0] != p {
		return fmt.Errorf("partitions %v, want %v (%w)", parts, p, err)
	}
	for _, node := range []struct {
		path string
		open func(int) (*os.File, error)
	}{{d.Path(), d.Open}, {p.Path(), p.Open}} {
		g, err := node.open(os.O_RDWR)
		if err != nil {
			return err
		}
		g.Close()
		if err := checkPath(node.path); err != nil {
			return err
		}
		if out, err := exec.Command("blockdev", "--getsize64", node.path).CombinedOutput(); err != nil {
			return fmt.Errorf("blockdev %s: %s", node.path, out)
		}
	}
	again, err := loop.Open(d.Name())
	if err != nil {
		return err
	}
	if again.Number() != d.Number() {
		return fmt.Errorf("opened device %v, want %v", again.Number(), d.Number())
	}
	if _, err := loop.Attach(context.Background(), f, loop.Options{}); !errors.Is(err, loop.ErrShared) {
		return fmt.Errorf("attached twice: %w", err)
	}
	if err := errors.Join(again.Close(), d.Close()); err != nil {
		return err
	}
	if after, err := os.ReadDir("/proc/self/fd"); err != nil || len(after) != len(before) {
		return fmt.Errorf("%d descriptors before, %d after (%w)", len(before), len(after), err)
	}
	return nil
}
