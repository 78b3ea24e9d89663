package loop_test

import (
	"context"
	"errors"
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
	"github.com/drivebay/drivebay/fixture/mount"
	"github.com/drivebay/drivebay/loop"
)

// comm returns the name of this process.
func comm(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/comm")
	require.NoError(t, err)
	return strings.TrimSpace(string(b))
}

func TestHolders(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireFS(t, "ext4")
	mkfs := fixture.RequireTool(t, "mkfs.ext4")
	pid, self := os.Getpid(), comm(t)
	held := func(t *testing.T, d *loop.Device) []loop.Holder {
		t.Helper()
		holders, err := d.Holders()
		require.NoError(t, err)
		own := loop.Holder{Kind: loop.HeldByProcess, Device: d.Name(), Name: self, PID: pid}
		require.Contains(t, holders, own)
		var others []loop.Holder
		for _, h := range withoutUdev(holders) {
			if h != own {
				others = append(others, h)
			}
		}
		return others
	}
	partitioned := func(t *testing.T) (*loop.Device, loop.Partition) {
		t.Helper()
		d := attach(t, memfd(t, 16*mib), loop.Options{})
		p, err := d.AddPartition(t.Context(), 1, mib, 12*mib)
		require.NoError(t, err)
		return d, p
	}

	t.Run("nobody else", func(t *testing.T) {
		d, _ := partitioned(t)
		require.Empty(t, held(t, d))
	})
	t.Run("partition open here", func(t *testing.T) {
		d, p := partitioned(t)
		f, err := p.Open(os.O_RDONLY)
		require.NoError(t, err)
		defer f.Close()
		require.Equal(t, []loop.Holder{{Kind: loop.HeldByProcess, Device: p.Name, Name: self, PID: pid}}, held(t, d))
	})
	t.Run("open in another process", func(t *testing.T) {
		d, p := partitioned(t)
		f, err := p.Open(os.O_RDONLY)
		require.NoError(t, err)
		pid, stop := holdOpen(t, "cat", f)
		require.Equal(t, []loop.Holder{{Kind: loop.HeldByProcess, Device: p.Name, Name: "cat", PID: pid}}, held(t, d))
		stop()
	})
	t.Run("mounted", func(t *testing.T) {
		d, p := partitioned(t)
		run(t, "", mkfs, "-q", p.Path())
		dir := filepath.Join(t.TempDir(), "a directory")
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, unix.Mount(p.Path(), dir, "ext4", 0, ""))
		defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
		require.Equal(t, []loop.Holder{{Kind: loop.HeldByMount, Device: p.Name, Name: dir}}, held(t, d))
		f, err := os.Create(filepath.Join(dir, "file"))
		require.NoError(t, err)
		require.Equal(t, []loop.Holder{
			{Kind: loop.HeldByMount, Device: p.Name, Name: dir},
			{Kind: loop.HeldByFile, Device: p.Name, Name: self, PID: pid},
		}, held(t, d))
		require.NoError(t, f.Close())
	})
	t.Run("mounted in another namespace", func(t *testing.T) {
		d, p := partitioned(t)
		run(t, "", mkfs, "-q", p.Path())
		dir := t.TempDir()
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", `mount "$0" "$1"; echo; cat`, p.Path(), dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, err = stdout.Read(make([]byte, 1))
		require.NoError(t, err)
		holders := held(t, d)
		require.Len(t, holders, 1)
		require.Positive(t, holders[0].PID)
		require.Equal(t, loop.Holder{Kind: loop.HeldByMount, Device: p.Name, Name: dir, PID: holders[0].PID}, holders[0])
		require.NoError(t, stdin.Close())
		require.NoError(t, cmd.Wait())
	})
	t.Run("mounted nowhere", func(t *testing.T) {
		d, p := partitioned(t)
		run(t, "", mkfs, "-q", p.Path())
		m, err := mount.New("ext4", p.Path(), mount.Options{})
		require.NoError(t, err)
		require.Equal(t, []loop.Holder{{Kind: loop.HeldByFile, Device: p.Name, Name: self, PID: pid}}, held(t, d))
		require.NoError(t, m.Close())
		require.Empty(t, held(t, d))
	})
	t.Run("under another loop device", func(t *testing.T) {
		d, p := partitioned(t)
		f, err := p.Open(os.O_RDWR)
		require.NoError(t, err)
		upper := attach(t, f, loop.Options{})
		require.NoError(t, f.Close())
		require.Equal(t, []loop.Holder{{Kind: loop.HeldByDevice, Device: p.Name, Name: upper.Name()}}, held(t, d))
	})
	t.Run("swap space", func(t *testing.T) {
		swapon, swapoff := fixture.RequireTool(t, "swapon"), fixture.RequireTool(t, "swapoff")
		d, p := partitioned(t)
		run(t, "", fixture.RequireTool(t, "mkswap"), p.Path())
		if out, err := exec.Command(swapon, p.Path()).CombinedOutput(); err != nil {
			t.Skipf("this kernel does not swap to a loop device: %s", out)
		}
		defer run(t, "", swapoff, p.Path())
		require.Equal(t, []loop.Holder{{Kind: loop.HeldBySwap, Device: p.Name, Name: p.Path()}}, held(t, d))
	})
}

func TestBusyErrorNamesHolders(t *testing.T) {
	fixture.RequireLoop(t)
	d := attach(t, memfd(t, 16*mib), loop.Options{})
	p, err := d.AddPartition(t.Context(), 1, mib, mib)
	require.NoError(t, err)
	whole, err := d.Open(os.O_RDONLY)
	require.NoError(t, err)
	part, err := p.Open(os.O_RDONLY)
	require.NoError(t, err)
	by := func(device string) loop.Holder {
		return loop.Holder{Kind: loop.HeldByProcess, Device: device, Name: comm(t), PID: os.Getpid()}
	}
	var busy *loop.BusyError
	err = d.DeletePartition(1)
	require.ErrorAs(t, err, &busy)
	require.Equal(t, p.Name, busy.Device)
	require.Equal(t, []loop.Holder{by(p.Name)}, withoutUdev(busy.Holders))
	require.ErrorContains(t, err, "device is in use: ")
	require.ErrorContains(t, err, p.Name+" is open in process "+strconv.Itoa(os.Getpid())+" (loop.test)")

	err = d.Detach()
	require.ErrorAs(t, err, &busy)
	require.Equal(t, d.Name(), busy.Device)
	require.Equal(t, []loop.Holder{by(d.Name()), by(p.Name)}, withoutUdev(busy.Holders))
	require.NoError(t, errors.Join(whole.Close(), part.Close()))
	requireUnbound(t, d)
}

// Newer kernels refuse to change the blocks of what is mounted.
func TestSetBlockSizeOfMounted(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireFS(t, "ext4")
	d := attach(t, memfd(t, 16*mib), loop.Options{})
	run(t, "", fixture.RequireTool(t, "mkfs.ext4"), "-q", "-b", "4096", d.Path())
	m, err := mount.New("ext4", d.Path(), mount.Options{})
	require.NoError(t, err)
	defer m.Close()
	err = d.SetBlockSize(4096)
	if err == nil {
		require.Equal(t, 4096, d.BlockSize())
		return
	}
	var busy *loop.BusyError
	require.ErrorAs(t, err, &busy)
	require.Contains(t, busy.Holders, loop.Holder{Kind: loop.HeldByFile, Device: d.Name(), Name: comm(t), PID: os.Getpid()})
}

// BenchmarkHolders tells what it costs to find out who holds a device.
func BenchmarkHolders(b *testing.B) {
	fixture.RequireLoop(b)
	f := memfd(b, mib)
	d, err := loop.Attach(context.Background(), f, loop.Options{})
	require.NoError(b, err)
	defer d.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Holders(); err != nil {
			b.Fatal(err)
		}
	}
}
