package fabrics

import (
	"errors"
	"os"
	"path/filepath"
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

// ioTimeout is how long the kernel waits for I/O in these tests, in place of 30 s.
const ioTimeout = 2 * time.Second

// observed is what a program and the kernel's driver make of a fault.
type observed struct {
	err    error
	struck int // how often the command was sent and struck
	resets int // of the controller: the driver has connected anew
	least  time.Duration
	most   time.Duration
}

// TestTroubleOnTheWay lets reads and writes of a program meet each fault.
func TestTroubleOnTheWay(t *testing.T) {
	const soon, reconnected = 10 * time.Second, 20 * time.Second // on a machine that is busy
	onRead := func(f tcptarget.Fault) tcptarget.Fault { f.Queue, f.Opcode = nvme.IOQueue, nvme.IORead; return f }
	for _, tc := range []struct {
		name  string
		fault tcptarget.Fault
		drive nvmetest.Fault // in place of fault, if that has no effect
		write bool
		want  observed
	}{
		{name: "data digest, once", fault: onRead(tcptarget.Fault{CorruptData: true, Count: 1}), want: observed{nil, 1, 0, 0, soon}},
		// The kernel means a transfer error, but has it where statuses are shifted by
		// the phase bit: it becomes Invalid Field.
		{name: "data digest, for ever", fault: onRead(tcptarget.Fault{CorruptData: true}), want: observed{unix.EOPNOTSUPP, 6, 0, 0, soon}},
		{name: "header digest", fault: onRead(tcptarget.Fault{CorruptHeader: true, Count: 1}), want: observed{nil, 1, 1, 0, reconnected}},
		{name: "drop before the answer", fault: onRead(tcptarget.Fault{Drop: tcptarget.DropBeforeAnswer, Count: 1}), want: observed{nil, 1, 1, 0, reconnected}},
		{name: "drop in the answer", fault: onRead(tcptarget.Fault{Drop: tcptarget.DropInAnswer, Count: 1}), want: observed{nil, 1, 1, 0, reconnected}},
		{name: "drop in a read's data", fault: onRead(tcptarget.Fault{Drop: tcptarget.DropInTransfer, Count: 1}), want: observed{nil, 1, 1, 0, reconnected}},
		{name: "drop in a write's data", write: true, want: observed{nil, 1, 1, 0, reconnected},
			fault: tcptarget.Fault{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, Drop: tcptarget.DropInTransfer, Count: 1}},
		{name: "delay", fault: onRead(tcptarget.Fault{Delay: time.Second, Count: 1}), want: observed{nil, 1, 0, time.Second, soon}},
		{name: "delay past the timeout", fault: onRead(tcptarget.Fault{Delay: time.Minute, Count: 1}), want: observed{nil, 1, 1, ioTimeout, 20 * time.Second}},
		{name: "hang", drive: nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Hang: true, Count: 1}, want: observed{nil, 1, 1, ioTimeout, 20 * time.Second}},
		{name: "status, once", drive: nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Status: nvme.StatusInternalError, Count: 1}, want: observed{nil, 1, 0, 0, soon}},
		{name: "status, for ever", drive: nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Status: nvme.StatusInternalError}, want: observed{unix.EIO, 6, 0, 0, soon}},
		{name: "status with DNR", drive: nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Status: nvme.StatusInternalError.WithDNR()}, want: observed{unix.EIO, 1, 0, 0, soon}},
		{name: "media error with DNR", drive: nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Status: nvme.StatusUnrecoveredRead.WithDNR()}, want: observed{unix.ENODATA, 1, 0, 0, soon}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := fixture.NVMe(t, fixture.ViaKernel(), fixture.TargetOptions(tcptarget.Options{
				HeaderDigest: true, DataDigest: true, InCapsule: -1, Reconnect: 20 * time.Second, KeepAlive: 30 * time.Second,
			}))
			quiet(t, "nvme")
			says := kernelSays(t)
			path := node(t, d)
			require.NoError(t, os.WriteFile(filepath.Join("/sys/block", filepath.Base(path), "queue/io_timeout"),
				[]byte("2000"), 0))
			io := openDirect(t, path, 0)
			require.NoError(t, io.write(7, 1<<20))
			before := resets(d)
			var struck func() int
			if tc.drive.Opcode != 0 {
				struck = d.Emulated.Inject(tc.drive).Struck
			} else {
				struck = d.Attached.Target.Inject(tc.fault).Struck
			}
			begin := time.Now()
			var err error
			if tc.write {
				err = io.write(8, 1<<20)
			} else {
				var b byte
				if b, err = io.read(1 << 20); err == nil {
					require.Equal(t, byte(7), b)
				}
			}
			took := time.Since(begin)
			got := observed{unwrapErrno(err), struck(), resets(d) - before, tc.want.least, tc.want.most}
			t.Logf("after %v: %v; struck %d, resets %d\n%s", took.Round(10*time.Millisecond), err, got.struck, got.resets, says())
			require.Equal(t, tc.want, got)
			require.GreaterOrEqual(t, took, tc.want.least)
			require.Less(t, took, tc.want.most)
			live(t, d)
		})
	}
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
