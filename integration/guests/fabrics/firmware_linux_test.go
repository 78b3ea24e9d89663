package fabrics

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/tcptarget"
)

// Ways in which firmware that was committed may come to run.
var (
	notAtAll        = func(*testing.T, *fixture.NVMeDrive) {}
	controllerReset = func(t *testing.T, d *fixture.NVMeDrive) { require.NoError(t, d.Reset(t.Context())) }
	subsystemReset  = func(t *testing.T, d *fixture.NVMeDrive) {
		require.NoError(t, d.ResetSubsystem(t.Context()))
		live(t, d)
	}
	conventionalReset = func(t *testing.T, d *fixture.NVMeDrive) {
		d.Emulated.Reset(nvmetest.ConventionalReset)
		live(t, d)
	}
	powerCycle = func(t *testing.T, d *fixture.NVMeDrive) {
		d.Emulated.Reset(nvmetest.PowerCycle)
		live(t, d)
	}
)

// nssrTimeout is for how many seconds the kernel waits for the answer to what it sends
// after NSSR, see TestSubsystemReset, in place of 60.
const nssrTimeout = "5"

// TestActivation commits firmware of each class, and lets it come to run by what it
// wants, and not by less.
func TestActivation(t *testing.T) {
	const before, after = "2.0.0", "3.0.0"
	for _, tc := range []struct {
		name      string
		image     nvmetest.Activation
		action    nvme.FirmwareCommitAction
		status    nvme.Status // of the commit
		needs     nvme.FirmwareReset
		activate  func(t *testing.T, d *fixture.NVMeDrive)
		want      string // which runs then
		wantEvent nvmetest.Event
	}{
		{"at once", nvmetest.AnyReset, nvme.ActivateNow, 0, nvme.NoReset, notAtAll, after, 0},
		{"at the next reset", nvmetest.AnyReset, nvme.ReplaceAndActivateAtReset, 0, nvme.NoReset, controllerReset, after, 0},
		{"stored", nvmetest.AnyReset, nvme.ReplaceFirmware, 0, nvme.NoReset, controllerReset, before, 0},
		{"at once, by controller reset", nvmetest.ByControllerReset, nvme.ActivateNow, nvme.StatusFirmwareNeedsControllerReset, nvme.AnyControllerReset, controllerReset, after, 0},
		{"by controller reset, not reset", nvmetest.ByControllerReset, nvme.ActivateNow, nvme.StatusFirmwareNeedsControllerReset, nvme.AnyControllerReset, notAtAll, before, 0},
		{"conventional reset, by less", nvmetest.ByConventionalReset, nvme.ReplaceAndActivateAtReset, nvme.StatusFirmwareNeedsReset, nvme.ConventionalReset, controllerReset, before, 0},
		{"conventional reset", nvmetest.ByConventionalReset, nvme.ReplaceAndActivateAtReset, nvme.StatusFirmwareNeedsReset, nvme.ConventionalReset, conventionalReset, after, 0},
		{"subsystem reset, by less", nvmetest.BySubsystemReset, nvme.ReplaceAndActivateAtReset, nvme.StatusFirmwareNeedsSubsystemReset, nvme.SubsystemReset, controllerReset, before, 0},
		{"subsystem reset", nvmetest.BySubsystemReset, nvme.ReplaceAndActivateAtReset, nvme.StatusFirmwareNeedsSubsystemReset, nvme.SubsystemReset, subsystemReset, after, 0},
		{"power cycle", nvmetest.BySubsystemReset, nvme.ReplaceAndActivateAtReset, nvme.StatusFirmwareNeedsSubsystemReset, nvme.SubsystemReset, powerCycle, after, 0},
		{"takes too long", nvmetest.TakesTooLong, nvme.ActivateNow, nvme.StatusFirmwareNeedsMaxTime, nvme.NoReset, controllerReset, before, 0},
		{"prohibited", nvmetest.Prohibited, nvme.ReplaceAndActivateAtReset, nvme.StatusFirmwareProhibited, nvme.NoReset, controllerReset, before, 0},
		{"fails to load at once", nvmetest.FailsToLoad, nvme.ActivateNow, nvme.StatusInvalidFirmwareImage, nvme.NoReset, notAtAll, before, nvmetest.EventImageLoadError},
		{"fails to load at the reset", nvmetest.FailsToLoad, nvme.ReplaceAndActivateAtReset, 0, nvme.NoReset, controllerReset, before, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fixture.RequireKernelNVMe(t)
			if tc.needs == nvme.SubsystemReset {
				parameter(t, "admin_timeout", nssrTimeout)
			}
			d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Enterprise()),
				fixture.TargetOptions(tcptarget.Options{Reconnect: 20 * time.Second}))
			quiet(t, "nvme")
			u := of(t, d)
			require.NoError(t, d.FirmwareDownload(t.Context(), 0, nvmetest.Firmware{Revision: after, Activation: tc.image}.Image()))
			result, err := d.FirmwareCommit(t.Context(), nvme.FirmwareCommit{Slot: 3, Action: tc.action})
			if err != nil {
				require.ErrorIs(t, err, tc.status.Code())
			} else {
				require.Equal(t, []any{tc.status.Code(), tc.needs}, []any{result.Status.Code(), result.Needs})
			}
			if tc.wantEvent != 0 {
				u.wait(t, aen(uint32(tc.wantEvent)))
			}
			tc.activate(t, d)
			live(t, d)
			id, err := d.Identify(t.Context())
			require.NoError(t, err)
			require.Equal(t, tc.want, id.FirmwareRevision)
		})
	}
}

// TestNeverReady activates firmware that does not start: the kernel waits for
// CSTS.RDY as long as CAP.TO says, and again when it reconnects, until the drive's
// power is cycled.
func TestNeverReady(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Consumer(), func(p *nvmetest.Profile) { p.ReadyTime = 0 }),
		fixture.TargetOptions(tcptarget.Options{Reconnect: 30 * time.Second, ReadyTimeout: time.Second}))
	quiet(t, "nvme")
	says := kernelSays(t)
	require.NoError(t, d.FirmwareDownload(t.Context(), 0, nvmetest.Firmware{Revision: "DEAD", Activation: nvmetest.NeverReady}.Image()))
	_, err := d.FirmwareCommit(t.Context(), nvme.FirmwareCommit{Slot: 2, Action: nvme.ReplaceAndActivateAtReset})
	require.NoError(t, err)
	begin := time.Now()
	err = d.Reset(t.Context())
	t.Logf("reset after %v: %v", time.Since(begin).Round(10*time.Millisecond), err)
	require.ErrorIs(t, err, unix.ENETRESET)
	require.Equal(t, "connecting", attribute(t, d, "state"))
	d.Emulated.Reset(nvmetest.PowerCycle)
	live(t, d)
	id, err := d.Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1.0.0", id.FirmwareRevision)
	t.Log(says())
}

// TestNeverReadyIsGivenUp: after ctrl_loss_tmo the kernel removes the controller.
func TestNeverReadyIsGivenUp(t *testing.T) {
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Consumer(), func(p *nvmetest.Profile) { p.ReadyTime = 0 }),
		fixture.TargetOptions(tcptarget.Options{Reconnect: time.Second, ReadyTimeout: 500 * time.Millisecond}))
	quiet(t, "nvme")
	u := of(t, d)
	require.NoError(t, d.FirmwareDownload(t.Context(), 0, nvmetest.Firmware{Revision: "DEAD", Activation: nvmetest.NeverReady}.Image()))
	_, err := d.FirmwareCommit(t.Context(), nvme.FirmwareCommit{Slot: 2, Action: nvme.ReplaceAndActivateAtReset})
	require.NoError(t, err)
	require.Error(t, d.Reset(t.Context()))
	u.wait(t, "ACTION=remove")
	_, err = d.Identify(t.Context())
	require.ErrorIs(t, err, unix.ENODEV)
}

// TestSubsystemReset resets the NVM subsystem by NSSR, which ends the connection.
// Linux goes on to reset the controller by it all the same, and waits for the answer
// as long as for any.
func TestSubsystemReset(t *testing.T) {
	fixture.RequireKernelNVMe(t)
	parameter(t, "admin_timeout", nssrTimeout)
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Enterprise()),
		fixture.TargetOptions(tcptarget.Options{Reconnect: 20 * time.Second}))
	quiet(t, "nvme")
	u := of(t, d)
	begin := time.Now()
	require.NoError(t, d.ResetSubsystem(t.Context()))
	u.wait(t, "NVME_EVENT=connected")
	took := time.Since(begin)
	t.Logf("connected again after %v", took.Round(10*time.Millisecond))
	require.Greater(t, took, 5*time.Second)
}
