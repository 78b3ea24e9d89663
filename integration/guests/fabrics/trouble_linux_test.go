package fabrics

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/tcptarget"
)

// ioTimeout is how long the kernel waits for I/O where a test wants it to expire, in
// place of 30 s.
const ioTimeout = 2 * time.Second

// observed is what a program and the kernel's driver make of a fault.
type observed struct {
	err    error
	struck int // how often the command was sent and struck
	resets int // of the controller: the driver has connected anew
}

// TestTroubleOnTheWay lets reads and writes of a program meet each fault.
func TestTroubleOnTheWay(t *testing.T) {
	onRead := func(f tcptarget.Fault) tcptarget.Fault { f.Queue, f.Opcode = nvme.IOQueue, nvme.IORead; return f }
	fails := func(s nvme.Status, count int) nvmetest.Fault {
		return nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Status: s, Count: count}
	}
	for _, tc := range []struct {
		name    string
		fault   tcptarget.Fault
		drive   nvmetest.Fault // in place of fault, if that has no effect
		write   bool
		expires bool // by ioTimeout
		least   time.Duration
		want    observed
	}{
		{name: "data digest, once", fault: onRead(tcptarget.Fault{CorruptData: true, Count: 1}), want: observed{nil, 1, 0}},
		// The kernel means a transfer error, but has it where statuses are shifted by
		// the phase bit: it becomes Invalid Field.
		{name: "data digest, for ever", fault: onRead(tcptarget.Fault{CorruptData: true}), want: observed{unix.EOPNOTSUPP, 6, 0}},
		{name: "header digest", fault: onRead(tcptarget.Fault{CorruptHeader: true, Count: 1}), want: observed{nil, 1, 1}},
		{name: "drop before the answer", fault: onRead(tcptarget.Fault{Drop: tcptarget.DropBeforeAnswer, Count: 1}), want: observed{nil, 1, 1}},
		{name: "drop in the answer", fault: onRead(tcptarget.Fault{Drop: tcptarget.DropInAnswer, Count: 1}), want: observed{nil, 1, 1}},
		{name: "drop in a read's data", fault: onRead(tcptarget.Fault{Drop: tcptarget.DropInTransfer, Count: 1}), want: observed{nil, 1, 1}},
		{name: "drop in a write's data", write: true, want: observed{nil, 1, 1},
			fault: tcptarget.Fault{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, Drop: tcptarget.DropInTransfer, Count: 1}},
		{name: "delay", fault: onRead(tcptarget.Fault{Delay: time.Second, Count: 1}), least: time.Second, want: observed{nil, 1, 0}},
		{name: "delay past the timeout", fault: onRead(tcptarget.Fault{Delay: time.Hour, Count: 1}), expires: true, least: ioTimeout, want: observed{nil, 1, 1}},
		{name: "hang", drive: nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Hang: true, Count: 1}, expires: true, least: ioTimeout, want: observed{nil, 1, 1}},
		{name: "status, once", drive: fails(nvme.StatusInternalError, 1), want: observed{nil, 1, 0}},
		{name: "status, for ever", drive: fails(nvme.StatusInternalError, 0), want: observed{unix.EIO, 6, 0}},
		{name: "status with DNR", drive: fails(nvme.StatusInternalError.WithDNR(), 0), want: observed{unix.EIO, 1, 0}},
		{name: "media error with DNR", drive: fails(nvme.StatusUnrecoveredRead.WithDNR(), 0), want: observed{unix.ENODATA, 1, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := fixture.NVMe(t, fixture.ViaKernel(), fixture.TargetOptions(tcptarget.Options{
				HeaderDigest: true, DataDigest: true, InCapsule: -1, Reconnect: 20 * time.Second,
			}))
			quiet(t, "nvme")
			says := kernelSays(t)
			io := openDirect(t, node(t, d), 0)
			require.NoError(t, io.write(7, 1<<20))
			before := resets(d)
			var struck func() int
			if tc.drive.Opcode != 0 {
				struck = d.Emulated.Inject(tc.drive).Struck
			} else {
				struck = d.Attached.Target.Inject(tc.fault).Struck
			}
			if tc.expires {
				setIOTimeout(t, d, ioTimeout)
			}
			begin := time.Now()
			done := make(chan error, 1)
			go func() { done <- io.writeOrRead(tc.write, 8, 7, 1<<20) }()
			if tc.expires { // once: on a slow machine it might expire again
				require.Eventually(t, func() bool { return struck() > 0 }, patience, time.Millisecond)
				setIOTimeout(t, d, 30*time.Second)
			}
			err := <-done
			took := time.Since(begin)
			got := observed{unwrapErrno(err), struck(), resets(d) - before}
			t.Logf("after %v: %v; struck %d, resets %d\n%s", took.Round(10*time.Millisecond), err, got.struck, got.resets, says())
			require.Equal(t, tc.want, got)
			require.GreaterOrEqual(t, took, tc.least)
			live(t, d)
		})
	}
}

// setIOTimeout says how long the kernel waits for I/O that begins from now on.
func setIOTimeout(t *testing.T, d *fixture.NVMeDrive, timeout time.Duration) {
	t.Helper()
	path := filepath.Join("/sys/block", filepath.Base(node(t, d)), "queue/io_timeout")
	require.NoError(t, os.WriteFile(path, []byte(strconv.FormatInt(timeout.Milliseconds(), 10)), 0))
}

// resets counts the resets that the drive's journal has.
func resets(d *fixture.NVMeDrive) (n int) {
	journal, _ := d.Emulated.Journal()
	for _, e := range journal {
		if strings.HasSuffix(e.Happened, "reset") {
			n++
		}
	}
	return n
}

func unwrapErrno(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
