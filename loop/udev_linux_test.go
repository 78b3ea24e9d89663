package loop_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/loop"
)

// withoutUdev returns the holders but for udevd, which looks at a device when it
// likes.
func withoutUdev(holders []loop.Holder) []loop.Holder {
	return slices.DeleteFunc(slices.Clone(holders), func(h loop.Holder) bool {
		return h.Kind == loop.HeldByProcess && strings.Contains(h.Name, "udev")
	})
}

// besideUdevEnv tells a child of this test binary that it has a mount namespace of its
// own.
const besideUdevEnv = "LOOP_TEST_BESIDE_UDEV"

// TestBesideUdev has a child see a udevd that is at work until it is told to rest: the
// files by which libudev knows one, in a /run of its own.
func TestBesideUdev(t *testing.T) {
	fixture.RequireLoop(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBesideUdevChild$", "-test.v")
	cmd.Env = append(os.Environ(), besideUdevEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestBesideUdevChild")
}

// udevQueue is there while udevd has something to do.
const udevQueue = "/run/udev/queue"

func TestBesideUdevChild(t *testing.T) {
	if os.Getenv(besideUdevEnv) == "" {
		t.Skip("runs in the child of TestBesideUdev only")
	}
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	require.NoError(t, unix.Mount("tmpfs", "/run", "tmpfs", 0, ""))
	require.NoError(t, os.Mkdir("/run/udev", 0o755))
	require.NoError(t, os.WriteFile("/run/udev/control", nil, 0o600))

	t.Run("a locked device is left to its owner", func(t *testing.T) {
		fd, name := lockFree(t)
		d := attach(t, memfd(t, mib), loop.Options{})
		require.NotEqual(t, name, d.Name())
		require.NoError(t, unix.Close(fd))
	})
	t.Run("the disk is locked until udevd rests", func(t *testing.T) {
		require.NoError(t, os.WriteFile(udevQueue, nil, 0o600))
		d := attach(t, memfd(t, 4*mib), loop.Options{})
		requireLocked(t, d)
		require.NoError(t, os.Remove(udevQueue))
		requireUnlocked(t, d)
		for name, call := range map[string]func() error{
			"AddPartition":     func() error { return addError(t.Context(), d, 1, mib, mib) },
			"Partitions":       func() error { _, err := d.Partitions(t.Context()); return err },
			"UpdatePartitions": func() error { _, err := d.UpdatePartitions(t.Context()); return err },
		} {
			require.NoError(t, os.WriteFile(udevQueue, nil, 0o600))
			require.NoError(t, call(), name)
			requireLocked(t, d)
			require.NoError(t, os.Remove(udevQueue))
			requireUnlocked(t, d)
		}
	})
	t.Run("a partition that was gone for an instant is opened", func(t *testing.T) {
		d := attach(t, memfd(t, 4*mib), loop.Options{})
		p, err := d.AddPartition(t.Context(), 1, mib, mib)
		require.NoError(t, err)
		require.NoError(t, d.DeletePartition(1))
		back := make(chan error)
		go func() { back <- addError(t.Context(), d, 1, mib, mib) }()
		f, err := p.Open(os.O_RDONLY)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.NoError(t, <-back)
	})
}

// tryLock locks a device for an instant, as one who wants it for himself.
func tryLock(t *testing.T, d *loop.Device) error {
	t.Helper()
	f, err := d.Open(os.O_RDONLY)
	require.NoError(t, err)
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// requireLocked makes sure that the device stays locked for as long as udevd would
// have to rest for it not to.
func requireLocked(t *testing.T, d *loop.Device) {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < time.Second; time.Sleep(50 * time.Millisecond) {
		require.ErrorIs(t, tryLock(t, d), unix.EWOULDBLOCK)
	}
}

func requireUnlocked(t *testing.T, d *loop.Device) {
	t.Helper()
	await(t, d.Name()+" is unlocked", func() bool { return tryLock(t, d) == nil })
}

// lockFree locks the lowest free device, and claims nothing else.
func lockFree(t *testing.T) (fd int, name string) {
	t.Helper()
	return takeFree(t, func(path string) (int, error) {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, err
		}
		if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = unix.Close(fd)
			return -1, err
		}
		return fd, nil
	})
}

// lookAsUdev has a process with the name of udevd's workers hold a file open, until
// stop.
func lookAsUdev(t *testing.T, f *os.File) (stop func()) {
	t.Helper()
	cat, err := exec.LookPath("cat")
	require.NoError(t, err)
	worker := filepath.Join(t.TempDir(), "(udev-worker)")
	require.NoError(t, os.Symlink(cat, worker))
	_, stop = holdOpen(t, worker, f)
	return stop
}

// requireOutlasts makes sure that a call waits for the end of a look, and succeeds then.
func requireOutlasts(t *testing.T, stop func(), call func() error) {
	t.Helper()
	done := make(chan error)
	go func() { done <- call() }()
	select {
	case err := <-done:
		t.Fatalf("has not waited: %v", err)
	case <-time.After(time.Second): // longer than any other wait
	}
	stop()
	require.NoError(t, <-done)
}

// udevd looks at what is new, and is in nobody's way by it.
func TestUdevIsOutlasted(t *testing.T) {
	fixture.RequireLoop(t)
	for _, tc := range []struct {
		name string
		look func(*loop.Device, loop.Partition) (*os.File, error)
		call func(*testing.T, *loop.Device, *os.File) error
	}{
		{"by DeletePartition",
			func(_ *loop.Device, p loop.Partition) (*os.File, error) { return p.Open(os.O_RDONLY) },
			func(_ *testing.T, d *loop.Device, _ *os.File) error { return d.DeletePartition(1) }},
		{"by UpdatePartitions",
			func(_ *loop.Device, p loop.Partition) (*os.File, error) { return p.Open(os.O_RDONLY) },
			func(t *testing.T, d *loop.Device, _ *os.File) error {
				_, err := d.UpdatePartitions(t.Context())
				return err
			}},
		{"by Detach",
			func(d *loop.Device, _ loop.Partition) (*os.File, error) { return d.Open(os.O_RDONLY) },
			func(_ *testing.T, d *loop.Device, _ *os.File) error { return d.Detach() }},
		{"by Attach of the same file",
			func(d *loop.Device, _ loop.Partition) (*os.File, error) { return d.Open(os.O_RDONLY) },
			func(t *testing.T, d *loop.Device, f *os.File) error {
				if err := d.Close(); err != nil {
					return err
				}
				return attachError(t.Context(), f, loop.Options{})
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := memfd(t, 4*mib)
			d := attach(t, f, loop.Options{})
			p, err := d.AddPartition(t.Context(), 1, mib, mib)
			require.NoError(t, err)
			looking, err := tc.look(d, p)
			require.NoError(t, err)
			stop := lookAsUdev(t, looking)
			requireOutlasts(t, stop, func() error { return tc.call(t, d, f) })
		})
	}
}

// A change of medium has the kernel read the table anew, at once or, where a partition
// is open, when the disk is opened after that.
func TestChangeBackingOutlastsUdev(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, 4*mib), loop.Options{ReadOnly: true})
	p, err := d.AddPartition(t.Context(), 1, mib, mib)
	require.NoError(t, err)
	looking, err := p.Open(os.O_RDONLY)
	require.NoError(t, err)
	stop := lookAsUdev(t, looking)
	second := memfd(t, 4*mib)
	requireOutlasts(t, stop, func() error { return d.ChangeBacking(t.Context(), second) })
	f, err := d.Open(os.O_RDONLY)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	parts, err := d.Partitions(t.Context())
	require.NoError(t, err)
	require.Equal(t, extents([]loop.Partition{p}), extents(parts))
}
