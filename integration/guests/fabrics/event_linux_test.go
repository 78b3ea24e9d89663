package fabrics

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/tcptarget"
)

// aen is the variable by which a uevent tells of an asynchronous event.
func aen(e uint32) string { return fmt.Sprintf("NVME_AEN=0x%06x", e) }

// TestNamespaceComesAndGoes lets another host detach a namespace, and attach it.
func TestNamespaceComesAndGoes(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Enterprise()))
	quiet(t, "nvme")
	device, err := d.Attached.NamespaceNode(2)
	require.NoError(t, err)
	f, err := os.Open(device)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.ReadAt(make([]byte, 4096), 0)
	require.NoError(t, err)

	d.Emulated.Namespace(2).Detach()
	require.Eventually(t, func() bool {
		_, err := d.Attached.NamespaceNode(2)
		return err != nil
	}, patience, 5*time.Millisecond)
	_, err = f.ReadAt(make([]byte, 4096), 1<<20)
	require.ErrorIs(t, err, io.EOF, "what has it open")
	_, err = d.Attached.NamespaceNode(1)
	require.NoError(t, err, "the other stays")

	d.Emulated.Namespace(2).Attach()
	require.Eventually(t, func() bool {
		_, err := d.Attached.NamespaceNode(2)
		return err == nil
	}, patience, 5*time.Millisecond)
}

// TestFormatIsSeen formats by another way than the kernel's ioctl: the event makes
// the kernel read the block size again.
func TestFormatIsSeen(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Enterprise()))
	quiet(t)
	size := func() string {
		b, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(node(t, d)), "queue/logical_block_size"))
		require.NoError(t, err)
		return strings.TrimSpace(string(b))
	}
	require.Equal(t, "512", size())
	other := nvme.NewController(d.Emulated.Controller(2))
	require.NoError(t, other.Format(t.Context(), nvme.FormatOptions{NSID: 1, Format: 5}))
	require.Eventually(t, func() bool { return size() == "4096" }, patience, 5*time.Millisecond)
	require.Equal(t, fmt.Sprint(d.Emulated.Namespace(1).Size()), strings.TrimSpace(run(t, "blockdev", "--getsize64", node(t, d))))
}

// TestEventsComeUp: events that the kernel does nothing about itself are uevents;
// notices (of namespaces, firmware, ANA) are not.
func TestEventsComeUp(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Enterprise(), nvmetest.MultiPath))
	quiet(t)
	u := of(t, d)
	require.NoError(t, d.Sanitize(t.Context(), nvme.SanitizeOptions{Action: nvme.BlockErase}))
	d.Emulated.Advance(time.Hour)
	u.wait(t, aen(uint32(nvmetest.EventSanitizeCompleted)))
}

// TestResetsReachTheKernel: whatever resets the drive, the kernel connects anew.
func TestResetsReachTheKernel(t *testing.T) {
	for _, kind := range []nvmetest.Reset{nvmetest.ControllerReset, nvmetest.ConventionalReset, nvmetest.SubsystemReset, nvmetest.PowerCycle} {
		t.Run(kind.String(), func(t *testing.T) {
			d := fixture.NVMe(t, fixture.ViaKernel(), fixture.TargetOptions(tcptarget.Options{Reconnect: 20 * time.Second}))
			quiet(t, "nvme")
			u := of(t, d)
			begin := time.Now()
			d.Emulated.Reset(kind)
			u.wait(t, "NVME_EVENT=connected")
			t.Logf("connected again after %v", time.Since(begin).Round(10*time.Millisecond))
			live(t, d)
			_, err := d.Identify(t.Context())
			require.NoError(t, err)
		})
	}
}

// TestPowerComesBack: I/O waits while the drive is off, and goes on.
func TestPowerComesBack(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.TargetOptions(tcptarget.Options{Reconnect: 20 * time.Second}))
	quiet(t, "nvme")
	dev := openDirect(t, node(t, d), 0)
	require.NoError(t, dev.write(1, 0))
	d.Emulated.PowerOff()
	require.Eventually(t, func() bool { return attribute(t, d, "state") == "connecting" }, patience, time.Millisecond)
	done := make(chan error, 1)
	go func() { done <- dev.write(2, 0) }()
	waits(t, done)
	d.Emulated.PowerOn()
	require.NoError(t, <-done)
}

// TestPowerStaysOff: after ctrl_loss_tmo the kernel gives the drive up, and I/O that
// has waited for it.
func TestPowerStaysOff(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.TargetOptions(tcptarget.Options{Reconnect: time.Second}))
	quiet(t, "nvme")
	dev := openDirect(t, node(t, d), 0)
	d.Emulated.PowerOff()
	require.ErrorIs(t, dev.write(1, 0), unix.ENOLINK)
}

// TestHangAndRelease lets a read wait for the drive.
func TestHangAndRelease(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel())
	quiet(t)
	dev := openDirect(t, node(t, d), 0)
	require.NoError(t, dev.write(1, 0))
	before := resets(d)
	hang := d.Emulated.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Hang: true, Count: 1})
	done := make(chan error, 1)
	go func() {
		_, err := dev.read(0)
		done <- err
	}()
	require.Eventually(t, func() bool { return hang.Hanging() == 1 }, patience, time.Millisecond)
	hang.Release()
	require.NoError(t, <-done)
	require.Equal(t, before, resets(d))
}

// TestKeepAliveExpires: a target that does not answer Keep Alive any more is given
// up, though nothing else is wrong.
func TestKeepAliveExpires(t *testing.T) {
	const keepAlive = 2 * time.Second
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.TargetOptions(tcptarget.Options{KeepAlive: keepAlive, Reconnect: 20 * time.Second}))
	quiet(t, "nvme")
	says, u := kernelSays(t), of(t, d)
	begin := time.Now()
	fault := d.Attached.Target.Inject(tcptarget.Fault{Opcode: nvme.AdminKeepAlive, Delay: time.Minute, Count: 1})
	u.wait(t, "NVME_EVENT=connected")
	t.Logf("connected again after %v\n%s", time.Since(begin).Round(10*time.Millisecond), says())
	require.Equal(t, 1, fault.Struck())
	live(t, d)
}

// TestAdminCommandIsLost: a program's command ends with the connection, by EINTR,
// and is not sent again.
func TestAdminCommandIsLost(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.TargetOptions(tcptarget.Options{Reconnect: 20 * time.Second}))
	quiet(t, "nvme")
	d.Attached.Target.Inject(tcptarget.Fault{Opcode: nvme.AdminIdentify, Drop: tcptarget.DropBeforeAnswer, Count: 1})
	_, err := d.Identify(t.Context())
	require.ErrorIs(t, err, nvme.ErrExpired)
	live(t, d)
	_, err = d.Identify(t.Context())
	require.NoError(t, err)
}

// TestSelfTestIsAborted begins a self-test, and ends it.
func TestSelfTestIsAborted(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel())
	quiet(t)
	require.NoError(t, d.SelfTest(t.Context(), 1, nvme.ShortSelfTest))
	d.Emulated.Advance(30 * time.Second)
	log, err := d.SelfTestLog(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint8(25), log.Completion)
	require.NoError(t, d.SelfTest(t.Context(), 1, nvme.AbortSelfTest))
	log, err = d.SelfTestLog(t.Context())
	require.NoError(t, err)
	require.Zero(t, log.Current)
}

// TestIODuringSanitize lets a program read all the time: what it reads in the
// meantime fails, and it goes on afterwards.
func TestIODuringSanitize(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel())
	quiet(t, "nvme")
	dev := openDirect(t, node(t, d), 0)
	require.NoError(t, dev.write(1, 0))
	require.NoError(t, d.Sanitize(t.Context(), nvme.SanitizeOptions{Action: nvme.BlockErase}))
	for range 10 {
		_, err := dev.read(0)
		require.ErrorIs(t, err, unix.EIO)
	}
	d.Emulated.Advance(time.Hour)
	b, err := dev.read(0)
	require.NoError(t, err)
	require.Zero(t, b, "what was there has gone")
}
