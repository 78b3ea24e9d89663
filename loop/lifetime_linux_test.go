package loop_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/loop"
)

func TestClose(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, mib), loop.Options{})
	before := look(d)
	require.True(t, bound(t, d.DiskSeq()))
	require.NoError(t, d.Close())
	requireUnbound(t, d)
	require.NoError(t, d.Close(), "closing again")

	require.Equal(t, before, look(d), "what a Device says outlives it")
	_, err := d.Open(os.O_RDONLY)
	require.ErrorIs(t, err, fs.ErrClosed)
	_, err = d.Partitions(t.Context())
	require.ErrorIs(t, err, fs.ErrClosed)
	_, err = d.AddPartition(t.Context(), 1, 0, 512)
	require.ErrorIs(t, err, fs.ErrClosed)
	require.ErrorIs(t, d.Detach(), fs.ErrClosed)
}

func TestCloseFromManyGoroutines(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, mib), loop.Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, _ = d.Partitions(t.Context())
			require.NoError(t, d.Close())
		})
	}
	wg.Wait()
	requireUnbound(t, d)
}

func TestOtherOpenersKeepTheDevice(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, mib), loop.Options{})
	f, err := d.Open(os.O_RDONLY)
	require.NoError(t, err)
	require.NoError(t, d.Close())
	require.True(t, bound(t, d.DiskSeq()))
	require.NoError(t, f.Close())
	requireUnbound(t, d)
}

func TestPersist(t *testing.T) {
	fixture.RequireLoop(t)
	for _, tc := range []struct {
		name   string
		reopen func(*loop.Device) string
	}{
		{"by name", (*loop.Device).Name},
		{"by path", (*loop.Device).Path},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := memfd(t, mib)
			d := attach(t, f, loop.Options{Persist: true, Offset: 512, Tag: "persistent"})
			require.True(t, d.Persistent())
			require.NoError(t, d.Close())
			require.True(t, bound(t, d.DiskSeq()))

			again, err := loop.Open(tc.reopen(d))
			require.NoError(t, err)
			require.Equal(t, look(d), look(again))
			require.Equal(t, []any{d.Name(), d.Number(), d.DiskSeq(), d.Path()},
				[]any{again.Name(), again.Number(), again.DiskSeq(), again.Path()})
			require.NoError(t, again.Detach())
			requireUnbound(t, d)
		})
	}
}

func TestDetachWithOtherOpeners(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, mib), loop.Options{Persist: true})
	f, err := d.Open(os.O_RDONLY)
	require.NoError(t, err)
	require.ErrorIs(t, d.Detach(), loop.ErrBusy)
	require.NoError(t, d.Close())
	require.True(t, bound(t, d.DiskSeq()))
	require.NoError(t, f.Close())
	requireUnbound(t, d)
}

// A descriptor with O_EXCL, held for the device's life, would make these fail.
func TestNoExclusiveClaim(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireFS(t, "ext4")
	mkfs := fixture.RequireTool(t, "mkfs.ext4")
	d := attach(t, memfd(t, 16*mib), loop.Options{})
	run(t, "", mkfs, "-q", d.Path())
	dir := t.TempDir()
	require.NoError(t, unix.Mount(d.Path(), dir, "ext4", 0, ""))
	defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o600))
}

func TestManyAtOnce(t *testing.T) {
	fixture.RequireLoop(t)
	const goroutines, times = 64, 10
	var wg sync.WaitGroup
	for i := range goroutines {
		// All of one name, so that looking for sharing has to ask the devices,
		// while these come and go.
		f := memfd(t, mib)
		wg.Go(func() {
			for range rounds(times) {
				d, err := loop.Attach(t.Context(), f, loop.Options{AllowShared: i%2 == 0})
				if err != nil {
					t.Error(err)
					return
				}
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// holdFree opens the lowest free device exclusively, as losetup does for an
// instant: LOOP_CONFIGURE gives EBUSY for as long.
func holdFree(t *testing.T) (fd int, name string) {
	t.Helper()
	return takeFree(t, func(path string) (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC, 0)
	})
}

// takeFree takes the lowest free device, in a way that fails with EBUSY or EAGAIN where
// another process was faster.
func takeFree(t *testing.T, take func(path string) (int, error)) (fd int, name string) {
	t.Helper()
	ctl, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(ctl)
	for {
		n, err := unix.IoctlRetInt(ctl, unix.LOOP_CTL_GET_FREE)
		require.NoError(t, err)
		name = "loop" + itoa(n)
		fd, err := take("/dev/" + name)
		if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		require.NoError(t, err)
		if _, err := unix.IoctlLoopGetStatus64(fd); errors.Is(err, unix.ENXIO) {
			return fd, name
		}
		require.NoError(t, unix.Close(fd))
	}
}

func TestClaimedDevice(t *testing.T) {
	fixture.RequireLoop(t)
	t.Run("is waited for until the context ends", func(t *testing.T) {
		for {
			fd, _ := holdFree(t)
			f := memfd(t, mib)
			before := openFiles(t)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
			err := attachError(ctx, f, loop.Options{})
			cancel()
			after := openFiles(t)
			require.NoError(t, unix.Close(fd))
			if err == nil {
				continue // another process has freed a lower one
			}
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, before, after)
			return
		}
	})
	t.Run("does not stop others", func(t *testing.T) {
		fd, name := holdFree(t)
		d := attach(t, memfd(t, mib), loop.Options{})
		require.NotEqual(t, name, d.Name())
		require.NoError(t, unix.Close(fd))
	})
	t.Run("is taken when it is free", func(t *testing.T) {
		fd, _ := holdFree(t)
		done := make(chan error)
		go func() { done <- attachError(t.Context(), memfd(t, mib), loop.Options{}) }()
		require.NoError(t, unix.Close(fd))
		require.NoError(t, <-done)
	})
}

// A child process has copies of all descriptors until it has executed its
// program, a moment longer than syscall.ForkLock is held.
func TestDetachOutlastsForks(t *testing.T) {
	fixture.RequireLoop(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.Command("/bin/true").Run()
				}
			}
		})
	}
	f := memfd(t, mib)
	for range rounds(200) {
		d, err := loop.Attach(t.Context(), f, loop.Options{AllowShared: true})
		if err != nil {
			t.Error(err)
			break
		}
		// Unbound at once, not in the end.
		if err := d.Detach(); err != nil || bound(t, d.DiskSeq()) {
			t.Errorf("still bound after Detach (%v)", err)
			break
		}
	}
	close(stop)
	wg.Wait()
}

// Without PARTSCAN, the partitions that BLKPG adds outlive the attachment.
func TestDirtyDeviceIsPurged(t *testing.T) {
	fixture.RequireLoop(t)
	if n := maxPart(t); n > 0 {
		t.Skipf("with max_part=%d the kernel scans every device for partitions, and drops those of an unbound one by itself", n)
	}
	for range 50 { // other processes attach files as well
		name, partition := leavePartition(t)
		_, err := os.Lstat(partition)
		dirty := err == nil
		d := attach(t, memfd(t, 4*mib), loop.Options{})
		if !dirty || d.Name() != name {
			require.NoError(t, d.Close())
			continue
		}
		require.NoDirExists(t, partition)
		parts, err := d.Partitions(t.Context())
		require.NoError(t, err)
		require.Empty(t, parts)
		return
	}
	t.Fatal("never got the device that a partition was left on: is the trap no more?")
}

// leavePartition unbinds the lowest free device, which the next Attach will
// take, in the way that leaves a partition.
func leavePartition(t *testing.T) (name, partition string) {
	t.Helper()
	ctl, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(ctl)
	config := unix.LoopConfig{Fd: uint32(memfd(t, 4*mib).Fd()), Size: 512}
	config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
	for {
		n, err := unix.IoctlRetInt(ctl, unix.LOOP_CTL_GET_FREE)
		require.NoError(t, err)
		name = "loop" + itoa(n)
		fd, err := unix.Open("/dev/"+name, unix.O_RDWR|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		err = unix.IoctlLoopConfigure(fd, &config)
		if errors.Is(err, unix.EBUSY) {
			require.NoError(t, unix.Close(fd))
			continue
		}
		require.NoError(t, err)
		err = blkpgAdd(fd, 7, mib, mib)
		require.NoError(t, unix.Close(fd))
		if !errors.Is(err, unix.EBUSY) { // there from another run of this test
			require.NoError(t, err)
		}
		return name, "/sys/block/" + name + "/" + name + "p7"
	}
}

func TestPartitionsEndWithTheDevice(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, 4*mib), loop.Options{})
	p, err := d.AddPartition(t.Context(), 1, mib, mib)
	require.NoError(t, err)
	require.DirExists(t, "/sys/block/"+d.Name()+"/"+p.Name)
	require.NoError(t, d.Close())
	requireNoPartition(t, d.Name(), p.Name)
}
