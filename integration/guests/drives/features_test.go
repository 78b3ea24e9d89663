package drives

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/guests/internal/nvmecli"
	"github.com/drivebay/drivebay/nvme"
)

// both is the drive as nvme-cli and package nvme have it before them.
func both(t *testing.T) *nvmecli.Drive {
	t.Helper()
	c, path := drive(t)
	return &nvmecli.Drive{Program: fixture.RequireTool(t, "nvme"), Device: path, Controller: c}
}

// Every feature of the specification is what nvme-cli gets.
func TestFeatures(t *testing.T) {
	served, differences := both(t).FeatureDifferences(t.Context(), nvmecli.Features(), nvme.CurrentValue, nvme.DefaultValue, nvme.SavedValue)
	require.Empty(t, differences)
	require.GreaterOrEqual(t, served, 12, "features that the drive has")
}

// What we set is what nvme-cli gets, and what it sets is what we get.
func TestSetFeatures(t *testing.T) {
	d := both(t)
	events := nvme.NotifyNamespaceAttributes | 0x02
	for _, f := range []nvmecli.SetFeature{
		{Set: &nvme.TemperatureThreshold{Threshold: 340}, Read: new(nvme.TemperatureThreshold), Value: 340},
		{Set: &nvme.ErrorRecovery{Limit: 5, DeallocatedError: true}, Read: new(nvme.ErrorRecovery), Value: 0x10005, NSID: 1},
		{Set: new(nvme.VolatileWriteCache), Read: new(nvme.VolatileWriteCache), Value: 0},
		{Set: &nvme.VolatileWriteCache{Enabled: true}, Read: new(nvme.VolatileWriteCache), Value: 1},
		{Set: &events, Read: new(nvme.AsyncEvents), Value: 0x102},
		{Set: new(nvme.CommandSetProfile), Read: new(nvme.CommandSetProfile), Value: 0},
	} {
		t.Run(f.Set.ID().String(), func(t *testing.T) { require.NoError(t, d.SetBothWays(t.Context(), f)) })
	}
}

// What cannot be set is refused us for the same reason as nvme-cli: by the drive,
// or by the kernel, which since some 6.12 keeps to itself the features that it
// works with.
func TestSetFeaturesIsRefused(t *testing.T) {
	c, path := drive(t)
	queues := &nvme.NumberOfQueues{Submission: 1, Completion: 1}
	for _, tt := range []struct {
		name   string
		set    nvme.Feature
		save   bool
		theirs string
		want   []error
	}{
		{"saving", &nvme.TemperatureThreshold{Threshold: 340}, true, "-v 340 -s", []error{nvme.StatusFeatureNotSaveable}},
		{"not changeable", new(nvme.PowerManagement), false, "-v 0", []error{nvme.StatusFeatureNotChangeable}},
		{"not there", new(nvme.SanitizeConfig), false, "-v 0", []error{nvme.StatusInvalidField}},
		{"the kernel's queues", queues, false, "-v 0", []error{nvme.StatusSequenceError, os.ErrPermission}},
		{"the kernel's keep alive", new(nvme.KeepAlive), false, "-v 0", []error{nvme.StatusInvalidField, os.ErrPermission}},
		// QEMU 7.2 answers with SCT 0 where SCT 1 would be right.
		{"combination of command sets", &nvme.CommandSetProfile{Index: 5}, false, "-v 5", []error{nvme.NewStatus(nvme.GenericStatus, 0x2b)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ours := cause(t, c.WriteFeature(t.Context(), tt.set, nvme.FeatureOptions{Save: tt.save}))
			args := append([]string{"set-feature", path, "-f", fmt.Sprint(uint8(tt.set.ID()))}, strings.Fields(tt.theirs)...)
			_, theirs := run(t, args...)
			require.Equal(t, theirs, ours)
			require.True(t, slices.ContainsFunc(tt.want, func(want error) bool { return errors.Is(ours, want) }), "%v", ours)
		})
	}
}

// data is Get Features by nvme-cli, of a feature that is data.
func data(t *testing.T, path string, id nvme.FeatureID, into nvme.Structure) {
	t.Helper()
	out, err := run(t, "get-feature", path, "-f", fmt.Sprint(uint8(id)), "-b")
	require.NoError(t, err)
	require.NoError(t, nvme.Decode([]byte(out), into))
}

// The timestamp runs on from what was set.
func TestTimestamp(t *testing.T) {
	c, path := drive(t)
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	stamp := nvme.TimestampOf(at)
	require.NoError(t, c.WriteFeature(t.Context(), &stamp, nvme.FeatureOptions{}))
	var theirs, ours nvme.Timestamp
	data(t, path, nvme.FeatureTimestamp, &theirs)
	require.NoError(t, c.ReadFeature(t.Context(), &ours, nvme.FeatureOptions{}))
	require.WithinRange(t, theirs.Time(), at, ours.Time())
	require.WithinRange(t, ours.Time(), at, at.Add(time.Minute))
	require.Equal(t, theirs.Attributes, ours.Attributes)

	file := filepath.Join(t.TempDir(), "timestamp")
	b, err := nvme.Encode(&stamp)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, b, 0o600))
	_, err = run(t, "set-feature", path, "-f", "14", "-l", "8", "-d", file)
	require.NoError(t, err)
	require.NoError(t, c.ReadFeature(t.Context(), &ours, nvme.FeatureOptions{}))
	require.WithinRange(t, ours.Time(), at, at.Add(time.Minute), "set by nvme-cli")
}

// The host's behavior is what the kernel has told the drive; some kernels let
// others change it.
func TestHostBehavior(t *testing.T) {
	c, path := drive(t)
	var ours, theirs nvme.HostBehavior
	require.NoError(t, c.ReadFeature(t.Context(), &ours, nvme.FeatureOptions{}))
	data(t, path, nvme.FeatureHostBehavior, &theirs)
	require.Equal(t, theirs, ours)
	before := ours
	ours.AdvancedCommandRetry = !ours.AdvancedCommandRetry
	if err := c.WriteFeature(t.Context(), &ours, nvme.FeatureOptions{}); err != nil {
		require.ErrorIs(t, err, os.ErrPermission)
		return
	}
	data(t, path, nvme.FeatureHostBehavior, &theirs)
	require.Equal(t, theirs, ours)
	require.NoError(t, c.WriteFeature(t.Context(), &before, nvme.FeatureOptions{}))
}

// A read of a block that is deallocated is an error once DULBE says so.
func TestDeallocatedBlocksAreErrors(t *testing.T) {
	c, _ := drive(t)
	require.NoError(t, c.Format(t.Context(), nvme.FormatOptions{NSID: 1}))
	ns, err := c.Namespace(t.Context(), 1)
	require.NoError(t, err)
	block := make([]byte, 4096)
	require.NoError(t, ns.Write(t.Context(), 0, []byte(fmt.Sprintf("%4096s", "drivebay")), nvme.IOOptions{}))
	require.NoError(t, ns.DatasetManagement(t.Context(), nvme.Deallocate, nvme.DatasetRange{Blocks: 8}))
	require.NoError(t, ns.Read(t.Context(), 0, block, nvme.IOOptions{}))
	require.Equal(t, make([]byte, 4096), block)
	o := nvme.FeatureOptions{NSID: 1}
	require.NoError(t, c.WriteFeature(t.Context(), &nvme.ErrorRecovery{DeallocatedError: true}, o))
	defer func() { require.NoError(t, c.WriteFeature(t.Context(), &nvme.ErrorRecovery{}, o)) }()
	require.ErrorIs(t, ns.Read(t.Context(), 0, block, nvme.IOOptions{}), nvme.StatusUnwritten)
}
