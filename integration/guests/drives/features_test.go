package drives

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
)

// dataBytes are the features whose value is not a dword but data.
var dataBytes = map[nvme.FeatureID]int{
	nvme.FeatureLBARangeType: 4096, nvme.FeatureAutonomousPowerStates: 256, nvme.FeatureHostMemoryBuffer: 4096,
	nvme.FeatureTimestamp: 8, nvme.FeaturePredictableLatency: 512, nvme.FeatureHostBehavior: 512, nvme.FeatureHostID: 8,
}

// An answer is what the drive says to Get Features or Set Features.
type answer struct {
	Value uint32
	Err   error // see run
}

var valueText = regexp.MustCompile(`value:\s*(?:0x)?([0-9a-f]+)`)

// get is Get Features by nvme-cli, of namespace 1 where it matters.
func get(t *testing.T, path string, id nvme.FeatureID, selected uint8) answer {
	t.Helper()
	out, err := run(t, "get-feature", path, "-f", fmt.Sprint(uint8(id)), "-n", "1", "-s", fmt.Sprint(selected))
	if err != nil {
		return answer{Err: err}
	}
	m := valueText.FindStringSubmatch(out)
	require.NotNil(t, m, out)
	v, err := strconv.ParseUint(m[1], 16, 32)
	require.NoError(t, err)
	return answer{Value: uint32(v)}
}

// Every feature of the specification, whether the drive has it or not: its
// current, default and saved value and what can be done with it are what
// nvme-cli gets, and so is the status of one that is refused.
func TestFeatures(t *testing.T) {
	c, path := drive(t)
	ids := []nvme.FeatureID{
		nvme.FeatureSoftwareProgress, nvme.FeatureHostID, nvme.FeatureReservationMask, nvme.FeatureReservationPersist,
		nvme.FeatureWriteProtect, 0x1d, 0x1e, // flexible data placement
	}
	for id := nvme.FeatureArbitration; id <= nvme.FeatureSpinup; id++ {
		ids = append(ids, id)
	}
	served := 0
	for _, id := range ids {
		capabilities, err := c.FeatureCapabilities(t.Context(), id, 1)
		ours := answer{uint32(capabilities), cause(t, err)}
		require.Equal(t, get(t, path, id, 3), ours, "capabilities of %v", id)
		if ours.Err != nil {
			continue
		}
		served++
		for s := nvme.CurrentValue; s <= nvme.SavedValue; s++ {
			f := &nvme.RawFeature{FeatureID: id, Data: make([]byte, dataBytes[id])}
			err := c.ReadFeature(t.Context(), f, nvme.FeatureOptions{NSID: 1, Select: s})
			require.Equal(t, get(t, path, id, uint8(s)), answer{f.Value, cause(t, err)}, "%v, select %d", id, s)
		}
	}
	require.GreaterOrEqual(t, served, 12, "features that the drive has")
}

// What we set is what nvme-cli gets, and what it sets is what we get.
func TestSetFeatures(t *testing.T) {
	c, path := drive(t)
	events := nvme.NotifyNamespaceAttributes | 0x02
	for _, tt := range []struct {
		set    nvme.Feature
		read   nvme.Feature // its selector
		value  uint32       // as nvme-cli has it
		theirs string       // further arguments
	}{
		{&nvme.TemperatureThreshold{Threshold: 340}, new(nvme.TemperatureThreshold), 340, "-n0"},
		{&nvme.ErrorRecovery{Limit: 5, DeallocatedError: true}, new(nvme.ErrorRecovery), 0x10005, "-n1"},
		{new(nvme.VolatileWriteCache), new(nvme.VolatileWriteCache), 0, "-n0"},
		{&nvme.VolatileWriteCache{Enabled: true}, new(nvme.VolatileWriteCache), 1, "-n0"},
		{&events, new(nvme.AsyncEvents), 0x102, "-n0"},
		{new(nvme.CommandSetProfile), new(nvme.CommandSetProfile), 0, "-n0"},
	} {
		t.Run(tt.set.ID().String(), func(t *testing.T) {
			o := nvme.FeatureOptions{NSID: uint32(tt.theirs[2] - '0')}
			before := get(t, path, tt.set.ID(), 0)
			require.NoError(t, c.WriteFeature(t.Context(), tt.set, o))
			require.Equal(t, answer{Value: tt.value}, get(t, path, tt.set.ID(), 0))

			setByCLI(t, path, tt.set.ID(), tt.theirs, before.Value)
			require.Equal(t, before, get(t, path, tt.set.ID(), 0))
			setByCLI(t, path, tt.set.ID(), tt.theirs, tt.value)
			require.NoError(t, c.ReadFeature(t.Context(), tt.read, o))
			require.Equal(t, tt.set, tt.read)
			setByCLI(t, path, tt.set.ID(), tt.theirs, before.Value)
		})
	}
}

func setByCLI(t *testing.T, path string, id nvme.FeatureID, nsid string, value uint32) {
	t.Helper()
	_, err := run(t, "set-feature", path, "-f", fmt.Sprint(uint8(id)), nsid, "-v", fmt.Sprint(value))
	require.NoError(t, err)
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
