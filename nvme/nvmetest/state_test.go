package nvmetest_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// download sends an image in parts of 4 KiB.
func download(t testing.TB, d nvme.Transport, image []byte) {
	t.Helper()
	for off := 0; off < len(image); off += 4096 {
		s, _ := submit(t, d, nvme.Command{Opcode: nvme.AdminFirmwareDownload, CDW10: 1023, CDW11: uint32(off / 4), Data: image[off:][:4096]})
		require.Equal(t, nvme.StatusSuccess, s)
	}
}

// commit sends a Firmware Commit.
func commit(t testing.TB, d nvme.Transport, slot uint32, action nvme.FirmwareCommitAction) (nvme.Status, uint64) {
	t.Helper()
	return submit(t, d, nvme.Command{Opcode: nvme.AdminFirmwareCommit, CDW10: slot | uint32(action)<<3})
}

// slots reads the firmware slot log.
func slots(t testing.TB, d nvme.Transport) *nvme.FirmwareSlotLog {
	t.Helper()
	log, err := nvme.NewController(d).FirmwareSlotLog(t.Context())
	require.NoError(t, err)
	return log
}

func TestFirmwareActivation(t *testing.T) {
	const none = nvmetest.Reset(0)
	for _, test := range []struct {
		name   string
		image  nvmetest.Activation
		action nvme.FirmwareCommitAction
		status nvme.Status
		by     nvmetest.Reset // the first reset, from weak to strong, after which it runs; 0 is at once
	}{
		{"any, at reset", nvmetest.AnyReset, nvme.ReplaceAndActivateAtReset, nvme.StatusSuccess, nvmetest.ControllerReset},
		{"any, at once", nvmetest.AnyReset, nvme.ActivateNow, nvme.StatusSuccess, none},
		{"controller reset, at reset", nvmetest.ByControllerReset, nvme.ReplaceAndActivateAtReset, nvme.StatusSuccess, nvmetest.ControllerReset},
		{"controller reset, at once", nvmetest.ByControllerReset, nvme.ActivateNow, nvme.StatusFirmwareNeedsControllerReset, nvmetest.ControllerReset},
		{"conventional reset", nvmetest.ByConventionalReset, nvme.ReplaceAndActivateAtReset, nvme.StatusFirmwareNeedsReset, nvmetest.ConventionalReset},
		{"conventional reset, at once", nvmetest.ByConventionalReset, nvme.ActivateNow, nvme.StatusFirmwareNeedsReset, nvmetest.ConventionalReset},
		{"subsystem reset", nvmetest.BySubsystemReset, nvme.ReplaceAndActivateAtReset, nvme.StatusFirmwareNeedsSubsystemReset, nvmetest.SubsystemReset},
		{"too long, at reset", nvmetest.TakesTooLong, nvme.ReplaceAndActivateAtReset, nvme.StatusSuccess, nvmetest.ControllerReset},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDrive(t, nvmetest.Enterprise())
			download(t, d, nvmetest.Firmware{Revision: "3.0.0", Activation: test.image}.Image())
			status, _ := commit(t, d, 3, test.action)
			require.Equal(t, test.status, status)
			for reset := nvmetest.Reset(0); reset <= nvmetest.PowerCycle; reset++ {
				if reset != none {
					d.Reset(reset)
				}
				log := slots(t, d)
				require.Equal(t, "3.0.0", log.Revision(3))
				if reset < test.by {
					require.Equal(t, [2]int{2, 3}, [2]int{log.Active(), log.Next()}, "after %v", reset)
				} else {
					require.Equal(t, [2]int{3, 0}, [2]int{log.Active(), log.Next()}, "after %v", reset)
				}
			}
		})
	}
}

func TestFirmwareThatIsNotTaken(t *testing.T) {
	image := nvmetest.Firmware{Revision: "3.0.0", Size: 16 << 10}.Image()
	for _, test := range []struct {
		name   string
		image  []byte
		action nvme.FirmwareCommitAction
		want   nvme.Status
	}{
		{"damaged", append(bytes.Clone(image[:8192]), make([]byte, 8192)...), nvme.ReplaceFirmware, nvme.StatusInvalidFirmwareImage},
		{"cut off", image[:8192], nvme.ReplaceFirmware, nvme.StatusInvalidFirmwareImage},
		{"not ours", make([]byte, 4096), nvme.ReplaceFirmware, nvme.StatusInvalidFirmwareImage},
		{"prohibited", nvmetest.Firmware{Revision: "3", Activation: nvmetest.Prohibited}.Image(), nvme.ReplaceFirmware, nvme.StatusFirmwareProhibited},
		{"too long at once", nvmetest.Firmware{Revision: "3", Activation: nvmetest.TakesTooLong}.Image(), nvme.ActivateNow, nvme.StatusFirmwareNeedsMaxTime},
		{"does not start at once", nvmetest.Firmware{Revision: "3", Activation: nvmetest.FailsToLoad}.Image(), nvme.ActivateNow, nvme.StatusInvalidFirmwareImage},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDrive(t, nvmetest.Enterprise())
			download(t, d, test.image)
			status, _ := commit(t, d, 3, test.action)
			require.Equal(t, test.want, status)
			require.Equal(t, 2, slots(t, d).Active())
			d.Reset(nvmetest.PowerCycle)
			require.Equal(t, 2, slots(t, d).Active())
		})
	}
}

func TestFirmwareOverlap(t *testing.T) {
	image := nvmetest.Firmware{Revision: "3.0.0", Size: 8192}.Image()
	part := nvme.Command{Opcode: nvme.AdminFirmwareDownload, CDW10: 1023, Data: image[:4096]}

	d := newDrive(t, nvmetest.Enterprise()) // which detects it at once
	s, _ := submit(t, d, part)
	require.Equal(t, nvme.StatusSuccess, s)
	s, _ = submit(t, d, part)
	require.Equal(t, nvme.StatusOverlappingRange, s)

	_, result := commit(t, d, 3, nvme.ReplaceFirmware)
	require.Equal(t, uint64(1), result, "multiple update detected")

	d = newDrive(t, nvmetest.Consumer()) // which detects it at the commit
	download(t, d, image)
	s, _ = submit(t, d, part)
	require.Equal(t, nvme.StatusSuccess, s)
	s, result = commit(t, d, 2, nvme.ReplaceFirmware)
	require.Equal(t, nvme.StatusOverlappingRange, s)
	require.Zero(t, result, "it does not report multiple updates (SMUD)")
	download(t, d, image) // a commit that failed has emptied it
	s, _ = commit(t, d, 2, nvme.ReplaceFirmware)
	require.Equal(t, nvme.StatusSuccess, s)

	download(t, d, image) // and so does a reset
	d.Reset(nvmetest.ControllerReset)
	s, _ = commit(t, d, 2, nvme.ReplaceFirmware)
	require.Equal(t, nvme.StatusInvalidFirmwareImage, s)

	// Parts in any order are fine; a gap is not.
	s, _ = submit(t, d, nvme.Command{Opcode: nvme.AdminFirmwareDownload, CDW10: 1023, CDW11: 1024, Data: image[4096:]})
	require.Equal(t, nvme.StatusSuccess, s)
	s, _ = submit(t, d, part)
	require.Equal(t, nvme.StatusSuccess, s)
	s, _ = commit(t, d, 0, nvme.ReplaceFirmware)
	require.Equal(t, nvme.StatusSuccess, s)
	require.Equal(t, "3.0.0", slots(t, d).Revision(3), "the drive's choice is the empty slot")
	s, _ = submit(t, d, nvme.Command{Opcode: nvme.AdminFirmwareDownload, CDW10: 1023, CDW11: 1024, Data: image[4096:]})
	require.Equal(t, nvme.StatusSuccess, s)
	s, _ = commit(t, d, 2, nvme.ReplaceFirmware)
	require.Equal(t, nvme.StatusInvalidFirmwareImage, s)
}

func TestImageThatDoesNotStartFallsBack(t *testing.T) {
	d := newDrive(t, nvmetest.Enterprise())
	download(t, d, nvmetest.Firmware{Revision: "3.0.0", Activation: nvmetest.FailsToLoad}.Image())
	s, _ := commit(t, d, 3, nvme.ReplaceAndActivateAtReset)
	require.Equal(t, nvme.StatusSuccess, s)
	d.Reset(nvmetest.ControllerReset)
	log := slots(t, d)
	require.Equal(t, [2]int{2, 0}, [2]int{log.Active(), log.Next()})
	require.Equal(t, []nvmetest.Event{nvmetest.EventImageLoadError}, d.Controller(1).Events())
}

// What a state forbids: NVMe Base 2.0, 5.9, 5.14 and 8.21.4.
func TestWhatIsForbiddenMeanwhile(t *testing.T) {
	page := make([]byte, 4096)
	log := func(id nvme.LogPageID) nvme.Command {
		return nvme.Command{Opcode: nvme.AdminGetLogPage, NSID: nvme.BroadcastNSID, CDW10: uint32(id) | 127<<16, Data: page[:512]}
	}
	read := nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IORead, NSID: 1, Data: page[:512]}
	other := nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IORead, NSID: 2, Data: page}
	format := nvme.Command{Opcode: nvme.AdminFormatNVM, NSID: 1, Timeout: nvme.NoTimeout}
	identify := nvme.Command{Opcode: nvme.AdminIdentify, CDW10: 1, Data: page}
	sanitize := nvme.Command{Opcode: nvme.AdminSanitize, CDW10: 2}
	selfTest := nvme.Command{Opcode: nvme.AdminSelfTest, CDW10: 1, NSID: nvme.BroadcastNSID}
	flush := nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IOFlush, NSID: 1}
	for _, test := range []struct {
		name   string
		state  func(t *testing.T, d *nvmetest.Drive)
		during map[nvme.Status][]nvme.Command
	}{
		{"sanitize", func(t *testing.T, d *nvmetest.Drive) {
			s, _ := submit(t, d, sanitize)
			require.Equal(t, nvme.StatusSuccess, s)
		}, map[nvme.Status][]nvme.Command{
			nvme.StatusSanitizeInProgress: {read, other, flush, format, sanitize, selfTest, log(nvme.LogFirmwareSlots),
				{Opcode: nvme.AdminFirmwareCommit, CDW10: 2 | 2<<3}},
			nvme.StatusSuccess: {identify, log(nvme.LogSMART), log(nvme.LogErrors), log(nvme.LogSanitize),
				{Opcode: nvme.AdminGetFeatures, CDW10: 2}},
		}},
		{"sanitize failed", func(t *testing.T, d *nvmetest.Drive) {
			d.FailSanitize()
			s, _ := submit(t, d, sanitize)
			require.Equal(t, nvme.StatusSuccess, s)
			d.Advance(time.Hour)
		}, map[nvme.Status][]nvme.Command{
			nvme.StatusSanitizeFailed: {read, flush, format, selfTest, {Opcode: nvme.AdminSanitize, CDW10: 1},
				{Opcode: nvme.AdminSanitize, CDW10: 2 | 1<<3}},
			nvme.StatusSuccess: {identify, log(nvme.LogSanitize)},
		}},
		{"self-test", func(t *testing.T, d *nvmetest.Drive) {
			s, _ := submit(t, d, selfTest)
			require.Equal(t, nvme.StatusSuccess, s)
		}, map[nvme.Status][]nvme.Command{
			nvme.StatusSelfTestInProgress: {selfTest},
			nvme.StatusSuccess:            {read, flush, identify, log(nvme.LogSMART)},
		}},
		{"firmware waits for a reset", func(t *testing.T, d *nvmetest.Drive) {
			s, _ := commit(t, d, 2, nvme.ActivateAtReset)
			require.Equal(t, nvme.StatusSuccess, s)
		}, map[nvme.Status][]nvme.Command{
			nvme.StatusFirmwareNeedsControllerReset: {sanitize},
			nvme.StatusSuccess:                      {read, identify},
		}},
		{"write protected", func(t *testing.T, d *nvmetest.Drive) {
			s, _ := submit(t, d, nvme.Command{Opcode: nvme.AdminSetFeatures, NSID: 1, CDW10: 0x84, CDW11: 1})
			require.Equal(t, nvme.StatusSuccess, s)
		}, map[nvme.Status][]nvme.Command{
			nvme.StatusWriteProtected: {format, sanitize, {Queue: nvme.IOQueue, Opcode: nvme.IOWrite, NSID: 1, Data: page[:512]},
				{Queue: nvme.IOQueue, Opcode: nvme.IOWriteZeroes, NSID: 1}, {Queue: nvme.IOQueue, Opcode: nvme.IOWriteUncorrectable, NSID: 1}},
			nvme.StatusSuccess: {read, flush, {Queue: nvme.IOQueue, Opcode: nvme.IOWrite, NSID: 2, Data: page}},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for want, cmds := range test.during {
				for _, cmd := range cmds {
					d := newDrive(t, nvmetest.Enterprise())
					test.state(t, d)
					got, _ := submit(t, d, cmd)
					require.Equal(t, want, got, "%v", cmd)
				}
			}
		})
	}
}

func TestFormatTakesItsTimeAndForbidsIO(t *testing.T) {
	ctx := t.Context()
	d := newDrive(t, nvmetest.Enterprise(), func(p *nvmetest.Profile) { p.Stepped = true })
	done := make(chan nvme.Status)
	go func() {
		c, err := d.Submit(ctx, nvme.Command{Opcode: nvme.AdminFormatNVM, NSID: 1, CDW10: 5, Timeout: nvme.NoTimeout})
		if err != nil {
			c.Status = nvme.StatusInternalError
		}
		done <- c.Status
	}()
	c := nvme.NewController(d)
	remaining := func() int {
		id, err := c.IdentifyNamespace(ctx, 1)
		require.NoError(t, err)
		percent, ok := id.FormatRemaining()
		require.True(t, ok)
		return percent
	}
	require.Eventually(t, func() bool { return remaining() == 100 }, time.Minute, time.Millisecond, "it never began")
	read := nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IORead, NSID: 1, Data: make([]byte, 512)}
	s, _ := submit(t, d, read)
	require.Equal(t, nvme.StatusFormatInProgress, s)
	s, _ = submit(t, d, nvme.Command{Opcode: nvme.AdminFormatNVM, NSID: 1})
	require.Equal(t, nvme.StatusFormatInProgress, s)
	read.NSID, read.Data = 2, make([]byte, 4096)
	s, _ = submit(t, d, read)
	require.Equal(t, nvme.StatusSuccess, s, "the other namespace")
	d.Advance(30 * time.Second)
	require.Equal(t, 75, remaining())
	d.Advance(90*time.Second - 1)
	require.Equal(t, 1, remaining())
	d.Advance(1)
	require.Equal(t, nvme.StatusSuccess, <-done)
	require.Zero(t, remaining())
	ns, err := c.Namespace(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, 4096, ns.BlockBytes())
}

func TestCommandThatExpiresResetsTheController(t *testing.T) {
	d := newDrive(t, nvmetest.Enterprise()) // a format of two minutes, a timeout of one
	_, err := d.Submit(t.Context(), nvme.Command{Opcode: nvme.AdminFormatNVM, NSID: 1})
	require.ErrorIs(t, err, nvme.ErrExpired)
	require.Equal(t, time.Minute, d.Now())
	entries, _ := d.Journal()
	require.Equal(t, "1m0s controller 1: controller reset", entries[len(entries)-1].String())
}

func TestSelfTestEndsBy(t *testing.T) {
	for name, test := range map[string]struct {
		test nvme.SelfTest
		by   func(t *testing.T, d *nvmetest.Drive)
		want nvme.SelfTestOutcome
	}{
		"time":        {nvme.ShortSelfTest, func(_ *testing.T, d *nvmetest.Drive) { d.Advance(2 * time.Minute) }, nvme.SelfTestPassed},
		"reset":       {nvme.ShortSelfTest, func(_ *testing.T, d *nvmetest.Drive) { d.Reset(nvmetest.ControllerReset) }, nvme.SelfTestAbortedReset},
		"power cycle": {nvme.ShortSelfTest, func(_ *testing.T, d *nvmetest.Drive) { d.Reset(nvmetest.PowerCycle) }, nvme.SelfTestAbortedReset},
		"format": {nvme.ExtendedSelfTest, func(t *testing.T, d *nvmetest.Drive) {
			submit(t, d, nvme.Command{Opcode: nvme.AdminFormatNVM, NSID: 1, Timeout: time.Hour})
		}, nvme.SelfTestAbortedFormat},
		"sanitize": {nvme.ExtendedSelfTest, func(t *testing.T, d *nvmetest.Drive) {
			submit(t, d, nvme.Command{Opcode: nvme.AdminSanitize, CDW10: 4})
			d.Advance(time.Minute)
		}, nvme.SelfTestAbortedSanitize},
		"deletion": {nvme.ExtendedSelfTest, func(t *testing.T, d *nvmetest.Drive) {
			submit(t, d, nvme.Command{Opcode: nvme.AdminNamespaceManagement, NSID: 1, CDW10: 1})
		}, nvme.SelfTestAbortedNamespace},
		"an abort": {nvme.ExtendedSelfTest, func(t *testing.T, d *nvmetest.Drive) {
			submit(t, d, nvme.Command{Opcode: nvme.AdminSelfTest, CDW10: 0xf})
		}, nvme.SelfTestAborted},
		"time, over resets": {nvme.ExtendedSelfTest, func(_ *testing.T, d *nvmetest.Drive) { d.Reset(nvmetest.ControllerReset); d.Advance(time.Hour) }, nvme.SelfTestPassed},
		"fault of ours": {nvme.ShortSelfTest, func(_ *testing.T, d *nvmetest.Drive) {
			d.Controller(1).FailSelfTest(nvme.SelfTestResult{Status: uint8(nvme.SelfTestFatal)})
			d.Advance(time.Hour)
		}, nvme.SelfTestFatal},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDrive(t, nvmetest.Enterprise())
			c := nvme.NewController(d)
			require.NoError(t, c.SelfTest(t.Context(), nvme.BroadcastNSID, test.test))
			test.by(t, d)
			log, err := c.SelfTestLog(t.Context())
			require.NoError(t, err)
			_, _, running := log.Progress()
			require.False(t, running)
			require.Equal(t, [2]any{test.test, test.want}, [2]any{log.Results[0].Test(), log.Results[0].Outcome()})
			require.Equal(t, nvme.SelfTestUnused, log.Results[1].Outcome())
		})
	}
}

func TestSanitizeOverwriteLeavesItsPattern(t *testing.T) {
	ctx := t.Context()
	d := newDrive(t, nvmetest.Enterprise())
	c := nvme.NewController(d)
	require.NoError(t, c.Sanitize(ctx, nvme.SanitizeOptions{Action: nvme.Overwrite, Passes: 2, Pattern: 0x01020304,
		InvertPattern: true, NoDeallocate: true}))
	d.Advance(90 * time.Minute)
	log, err := c.SanitizeLog(ctx)
	require.NoError(t, err)
	require.Equal(t, [3]any{nvme.Sanitizing, 1, uint16(3 * 65536 / 4)}, [3]any{log.State(), log.Passes(), log.Progress})
	d.Reset(nvmetest.PowerCycle)
	d.Advance(30 * time.Minute)
	log, err = c.SanitizeLog(ctx)
	require.NoError(t, err)
	require.Equal(t, [4]any{nvme.Sanitized, 2, uint16(0xffff), true}, [4]any{log.State(), log.Passes(), log.Progress, log.Erased()})
	ns, err := c.Namespace(ctx, 1)
	require.NoError(t, err)
	data := make([]byte, 512)
	require.NoError(t, ns.Read(ctx, 1000, data, nvme.IOOptions{}))
	require.Equal(t, bytes.Repeat([]byte{0xfb, 0xfc, 0xfd, 0xfe}, 128), data)
	require.NoError(t, ns.DatasetManagement(ctx, nvme.Deallocate, nvme.DatasetRange{LBA: 1000, Blocks: 1}))
	require.NoError(t, ns.Read(ctx, 1000, data, nvme.IOOptions{}))
	require.Equal(t, make([]byte, 512), data)
}
