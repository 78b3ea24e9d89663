package tcptarget_test

import (
	"bytes"
	"context"
	"os"
	"slices"
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

// patience is how long tests wait for what the kernel does in seconds, on a machine
// that may be busy.
const patience = 2 * time.Minute

func requireKernelDriver(t *testing.T) {
	t.Helper()
	fixture.RequireKernelNVMe(t)
	logKernel(t)
}

func attach(t *testing.T, o tcptarget.Options, p nvmetest.Profile, changes ...func(*nvmetest.Profile)) (*nvmetest.Drive, *tcptarget.Attached) {
	t.Helper()
	requireKernelDriver(t)
	drive, err := nvmetest.New(p, changes...)
	require.NoError(t, err)
	o.Logf = t.Logf
	a, err := tcptarget.Attach(t.Context(), drive, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return drive, a
}

func open(t *testing.T, path string) *nvme.Controller {
	t.Helper()
	c, err := nvme.Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// TestKernelAttachesEveryProfile looks at each drive through the kernel, with what
// digests there are.
func TestKernelAttachesEveryProfile(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    tcptarget.Options
		p    nvmetest.Profile
		want []int64
	}{
		{"consumer", tcptarget.Options{}, nvmetest.Consumer(), []int64{512_110_190_592}},
		{"header digest", tcptarget.Options{HeaderDigest: true}, nvmetest.Consumer(), []int64{512_110_190_592}},
		{"both digests", tcptarget.Options{HeaderDigest: true, DataDigest: true}, nvmetest.Consumer(), []int64{512_110_190_592}},
		{"enterprise", tcptarget.Options{}, nvmetest.Enterprise(), []int64{512 << 20, 4 << 30}},
		{"old", tcptarget.Options{}, nvmetest.Old12(), []int64{128_035_676_160}},
		{"qemu", tcptarget.Options{}, nvmetest.QEMU(), []int64{64 << 20}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			drive, a := attach(t, tc.o, tc.p)
			id, err := open(t, a.Node()).Identify(t.Context())
			require.NoError(t, err)
			require.Equal(t, drive.Profile().Controller.SerialNumber, id.SerialNumber)
			list, err := a.Namespaces()
			require.NoError(t, err)
			var got []int64
			for _, n := range list {
				got = append(got, n.Size)
			}
			require.Equal(t, tc.want, got)
		})
	}
}

// TestKernelWritesAndReads sends data through the page cache, in capsules and by
// R2T.
func TestKernelWritesAndReads(t *testing.T) {
	for _, o := range []tcptarget.Options{{}, {HeaderDigest: true, DataDigest: true, InCapsule: -1, MaxH2CData: 4096}} {
		drive, a := attach(t, o, nvmetest.Consumer())
		node, err := a.NamespaceNode(1)
		require.NoError(t, err)
		f, err := os.OpenFile(node, os.O_RDWR, 0)
		require.NoError(t, err)
		want := bytes.Repeat([]byte("drivebay"), 128<<10)
		_, err = f.WriteAt(want, 1<<20)
		require.NoError(t, err)
		require.NoError(t, f.Sync())
		got := make([]byte, len(want))
		_, err = drive.Namespace(1).ReadAt(got, 1<<20)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "what the drive has")
		require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
		clear(got)
		_, err = f.ReadAt(got, 1<<20)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "what the kernel reads")
		require.NoError(t, f.Close())
		require.NoError(t, a.Close())
	}
}

func consent(d *nvmetest.Drive) nvme.Consent {
	return nvme.Consent{Serial: d.Profile().Controller.SerialNumber}
}

// TestKernelUpdatesFirmware activates firmware by each way that the kernel has.
func TestKernelUpdatesFirmware(t *testing.T) {
	for _, tc := range []struct {
		name       string
		activation nvme.FirmwareActivation
		image      nvmetest.Activation
		reset      nvme.FirmwareReset
		now        string // right after the update
		later      string // after a controller reset
	}{
		{"controller reset", nvme.ActivateWithReset, nvmetest.AnyReset, nvme.AnyControllerReset, "2.0.0", "2.0.0"},
		{"reset by somebody else", nvme.ActivateWithReset, nvmetest.AnyReset, nvme.NoReset, "1.0.0", "2.0.0"},
		{"without reset", nvme.ActivateWithoutReset, nvmetest.AnyReset, nvme.NoReset, "2.0.0", "2.0.0"},
		{"conventional reset", nvme.ActivateWithReset, nvmetest.ByConventionalReset, nvme.NoReset, "1.0.0", "1.0.0"},
		{"stored only", nvme.StoreOnly, nvmetest.AnyReset, nvme.NoReset, "1.0.0", "1.0.0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			drive, a := attach(t, tcptarget.Options{}, nvmetest.Consumer())
			c := open(t, a.Node())
			image := nvmetest.Firmware{Revision: "2.0.0", Activation: tc.image}.Image()
			result, err := nvme.UpdateFirmware(t.Context(), c, image, nvme.UpdateOptions{
				Consent: consent(drive), Activation: tc.activation, Reset: tc.reset, PartSize: 16 << 10,
			})
			require.NoError(t, err)
			t.Logf("%+v", result)
			id, err := c.Identify(t.Context())
			require.NoError(t, err)
			require.Equal(t, tc.now, id.FirmwareRevision)
			require.NoError(t, c.Reset(t.Context()))
			id, err = c.Identify(t.Context())
			require.NoError(t, err)
			require.Equal(t, tc.later, id.FirmwareRevision)
		})
	}
}

// TestKernelFormats lets the kernel see another block size.
func TestKernelFormats(t *testing.T) {
	drive, a := attach(t, tcptarget.Options{}, nvmetest.Consumer())
	c := open(t, a.Node())
	_, err := nvme.FormatNamespace(t.Context(), c, nvme.NamespaceFormat{Consent: consent(drive), NSID: 1, BlockSize: 4096})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		list, err := a.Namespaces()
		return err == nil && len(list) == 1 && list[0].BlockSize == 4096
	}, patience, 5*time.Millisecond)
}

// TestKernelReconnects loses the connection, and finds the drive as it was.
func TestKernelReconnects(t *testing.T) {
	drive, a := attach(t, tcptarget.Options{Reconnect: 10 * time.Second}, nvmetest.Consumer())
	c := open(t, a.Node())
	a.Target.Drop()
	require.Eventually(t, func() bool { return connectedAgain(drive) }, patience, 5*time.Millisecond)
	require.Eventually(t, func() bool { return state(t, a) == "live" }, patience, 5*time.Millisecond)
	id, err := c.Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint16(1), id.ControllerID)
}

// connectedAgain reports whether a host has identified the controller since its last
// reset.
func connectedAgain(d *nvmetest.Drive) bool {
	journal, _ := d.Journal()
	identified := false
	for _, e := range slices.Backward(journal) {
		if e.Happened == nvmetest.ControllerReset.String() {
			return identified
		}
		identified = identified || e.Command.Queue == nvme.AdminQueue && e.Command.Opcode == nvme.AdminIdentify
	}
	return false
}

// TestKernelGetsStatuses lets errors come back as the drive has said them.
func TestKernelGetsStatuses(t *testing.T) {
	drive, a := attach(t, tcptarget.Options{}, nvmetest.Consumer())
	c := open(t, a.Node())
	for _, want := range []nvme.Status{nvme.StatusInternalError.WithDNR(), nvme.StatusInvalidFirmwareImage.WithDNR(), nvme.StatusPowerLoss} {
		fault := drive.Inject(nvmetest.Fault{Opcode: nvme.AdminIdentify, Status: want, Count: 1})
		_, err := c.Identify(t.Context())
		fault.Remove()
		require.ErrorIs(t, err, want.Code())
	}
}

func state(t *testing.T, a *tcptarget.Attached) string {
	t.Helper()
	b, err := os.ReadFile("/sys/class/nvme/" + a.Name() + "/state")
	require.NoError(t, err)
	return strings.TrimSpace(string(b))
}

// TestKernelPausesForAnActivation is the event of an activation that starts, and
// what the kernel makes of it: it stops all I/O until CSTS.PP is clear.
func TestKernelPausesForAnActivation(t *testing.T) {
	drive, a := attach(t, tcptarget.Options{}, nvmetest.Enterprise(), func(p *nvmetest.Profile) {
		p.Stepped, p.ReadyTime = true, 0
	})
	c := open(t, a.Node())
	require.NoError(t, c.FirmwareDownload(t.Context(), 0, nvmetest.Firmware{Revision: "3.0.0", Size: 4096}.Image()))
	committed := make(chan error, 1)
	go func() { // the kernel identifies the controller before it lets go
		_, err := c.FirmwareCommit(context.WithoutCancel(t.Context()), nvme.FirmwareCommit{Slot: 3, Action: nvme.ActivateNow})
		committed <- err
	}()
	require.Eventually(t, func() bool { return state(t, a) == "resetting" }, patience, time.Millisecond)
	drive.Advance(time.Minute)
	require.NoError(t, <-committed)
	require.Eventually(t, func() bool { return state(t, a) == "live" }, patience, time.Millisecond)
	id, err := c.Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, "3.0.0", id.FirmwareRevision)
}

// TestKernelResetsAfterAHang lets a command expire: it fails with EINTR, and the
// kernel resets the controller and goes on.
func TestKernelResetsAfterAHang(t *testing.T) {
	drive, a := attach(t, tcptarget.Options{Reconnect: 10 * time.Second}, nvmetest.Consumer())
	c := open(t, a.Node())
	hang := drive.Inject(nvmetest.Fault{Opcode: nvme.AdminGetLogPage, LogPage: nvme.LogFirmwareSlots, Hang: true, Count: 1})
	_, err := c.Do(t.Context(), nvme.Command{Opcode: nvme.AdminGetLogPage, NSID: nvme.BroadcastNSID,
		CDW10: 127<<16 | uint32(nvme.LogFirmwareSlots), Data: make([]byte, 512), Timeout: time.Second})
	require.ErrorIs(t, err, nvme.ErrExpired)
	_, err = c.FirmwareSlotLog(t.Context())
	require.NoError(t, err)
	require.Zero(t, hang.Hanging(), "the reset has ended it")
}
