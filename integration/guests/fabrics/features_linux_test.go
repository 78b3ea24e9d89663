package fabrics

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/guests/internal/nvmecli"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// both is the drive as nvme-cli and package nvme have it before them.
func both(t *testing.T, d *fixture.NVMeDrive) *nvmecli.Drive {
	t.Helper()
	return &nvmecli.Drive{Program: fixture.RequireTool(t, "nvme"), Device: d.Attached.Node(), Controller: d.Controller}
}

// TestFeatures lets nvme-cli and package nvme read the same features: all that an
// emulated drive can have, and one that it has not.
func TestFeatures(t *testing.T) {
	ids := []nvme.FeatureID{
		nvme.FeatureArbitration, nvme.FeaturePowerManagement, nvme.FeatureTemperatureThreshold, nvme.FeatureErrorRecovery,
		nvme.FeatureNumberOfQueues, nvme.FeatureInterruptCoalescing, nvme.FeatureInterruptVector, nvme.FeatureWriteAtomicity,
		nvme.FeatureAsyncEvents,
	}
	d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Enterprise(), func(p *nvmetest.Profile) {
		p.Features = append(p.Features, nvme.FeatureAutonomousPowerStates, nvme.FeatureThermalManagement,
			nvme.FeatureNonOperationalPower, nvme.FeatureReadRecoveryLevel, nvme.FeatureSoftwareProgress)
		ids = append(ids, p.Features...)
	}))
	quiet(t)
	served, differences := both(t, d).FeatureDifferences(t.Context(), append(ids, nvme.FeatureLBARangeType), nvme.CurrentValue)
	require.Empty(t, differences)
	require.Equal(t, len(ids), served)
}

// TestSetFeatures lets one of them read what the other has set.
func TestSetFeatures(t *testing.T) {
	events, protect := nvme.NotifyNamespaceAttributes|0x02, nvme.WriteProtected
	for _, drive := range []struct {
		profile  nvmetest.Profile
		features []nvmecli.SetFeature
	}{
		{nvmetest.Consumer(), []nvmecli.SetFeature{
			{Set: &nvme.Arbitration{Burst: 5, LowWeight: 1, MediumWeight: 2, HighWeight: 3}, Read: new(nvme.Arbitration), Value: 0x03020105},
			{Set: &nvme.PowerManagement{State: 2, Workload: 1}, Read: new(nvme.PowerManagement), Value: 0x22},
			{Set: &nvme.TemperatureThreshold{Threshold: 340}, Read: new(nvme.TemperatureThreshold), Value: 340},
			{Set: &nvme.ThermalManagement{First: 320, Second: 330}, Read: new(nvme.ThermalManagement), Value: 320<<16 | 330},
			{Set: new(nvme.NonOperationalPower), Read: new(nvme.NonOperationalPower), Value: 0},
			{Set: new(nvme.VolatileWriteCache), Read: new(nvme.VolatileWriteCache), Value: 0},
			{Set: &nvme.InterruptCoalescing{Threshold: 7, Time: 3}, Read: new(nvme.InterruptCoalescing), Value: 0x0307},
			{Set: &nvme.WriteAtomicity{NormalDisable: true}, Read: new(nvme.WriteAtomicity), Value: 1},
		}},
		{nvmetest.Enterprise(), []nvmecli.SetFeature{
			{Set: &events, Read: new(nvme.AsyncEvents), Value: 0x102},
			{Set: &nvme.ErrorRecovery{Limit: 5, DeallocatedError: true}, Read: new(nvme.ErrorRecovery), Value: 0x10005, NSID: 1},
			{Set: new(nvme.SanitizeConfig), Read: new(nvme.SanitizeConfig), Value: 0},
			{Set: &protect, Read: new(nvme.WriteProtect), Value: 1, NSID: 1},
		}},
	} {
		t.Run(drive.profile.Name, func(t *testing.T) {
			d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(drive.profile))
			quiet(t)
			for _, f := range drive.features {
				t.Run(f.Set.ID().String(), func(t *testing.T) { require.NoError(t, both(t, d).SetBothWays(t.Context(), f)) })
			}
		})
	}
}

// TestResets holds what a reset by nvme-cli leaves against what one by package nvme
// does: once, with features and firmware as after any.
func TestResets(t *testing.T) {
	type left struct {
		Resets      int
		Threshold   nvme.Temperature // was set, not saved
		Arbitration nvme.Arbitration // was saved
		Firmware    nvme.FirmwareSlotLog
	}
	const defaultThreshold = 273 + 70
	want := left{1, defaultThreshold, nvme.Arbitration{Burst: 3}, nvme.FirmwareSlotLog{ActiveInfo: 3, Revisions: [7]string{"GOLDEN", "2.0.0", "3.0.0"}}}
	for name, reset := range map[string]func(t *testing.T, d *fixture.NVMeDrive) error{
		"nvme-cli": func(t *testing.T, d *fixture.NVMeDrive) error {
			_, err := cli(t, "reset", d.Attached.Node())
			return err
		},
		"package nvme": func(t *testing.T, d *fixture.NVMeDrive) error { return d.Reset(t.Context()) },
		"sysfs": func(_ *testing.T, d *fixture.NVMeDrive) error {
			return os.WriteFile("/sys/class/nvme/"+d.Attached.Name()+"/reset_controller", []byte("1"), 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := fixture.NVMe(t, fixture.ViaKernel(), fixture.DriveProfile(nvmetest.Enterprise()))
			quiet(t)
			var got left
			threshold := nvme.TemperatureThreshold{Threshold: 340}
			require.NoError(t, d.WriteFeature(t.Context(), &threshold, nvme.FeatureOptions{}))
			require.NoError(t, d.WriteFeature(t.Context(), &want.Arbitration, nvme.FeatureOptions{Save: true}))
			require.NoError(t, d.FirmwareDownload(t.Context(), 0, nvmetest.Firmware{Revision: "3.0.0"}.Image()))
			_, err := d.FirmwareCommit(t.Context(), nvme.FirmwareCommit{Slot: 3, Action: nvme.ReplaceAndActivateAtReset})
			require.NoError(t, err)
			before := resets(d)

			require.NoError(t, reset(t, d))
			live(t, d)
			got.Resets = resets(d) - before
			require.NoError(t, d.ReadFeature(t.Context(), &threshold, nvme.FeatureOptions{}))
			got.Threshold = threshold.Threshold
			require.NoError(t, d.ReadFeature(t.Context(), &got.Arbitration, nvme.FeatureOptions{}))
			log, err := d.FirmwareSlotLog(t.Context())
			require.NoError(t, err)
			got.Firmware = *log
			require.Equal(t, want, got)
		})
	}
}
