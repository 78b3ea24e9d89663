package nvme_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// drive returns an emulated drive, and a controller on it.
func drive(t testing.TB, p nvmetest.Profile, changes ...func(*nvmetest.Profile)) (*nvmetest.Drive, *nvme.Controller) {
	t.Helper()
	d, err := nvmetest.New(p, changes...)
	require.NoError(t, err)
	return d, nvme.NewController(d)
}

// consent is for the emulated drive.
var consent = nvme.Consent{Serial: nvmetest.SerialNumber}

// commands counts the commands with an opcode in the drive's journal.
func commands(d *nvmetest.Drive, opcode nvme.Opcode) (n int) {
	entries, _ := d.Journal()
	for _, e := range entries {
		if e.Happened == "" && e.Command.Queue == nvme.AdminQueue && e.Command.Opcode == opcode {
			n++
		}
	}
	return n
}

func TestUpdateFirmware(t *testing.T) {
	both := []nvme.Operation{nvme.ResetController, nvme.ResetSubsystem}
	controller := both[:1]
	for _, test := range []struct {
		name   string
		image  nvmetest.Activation
		o      nvme.UpdateOptions
		want   nvme.UpdateResult
		err    error
		change func(*nvmetest.Profile)
	}{
		{name: "at reset, by us", o: nvme.UpdateOptions{Reset: nvme.AnyControllerReset},
			want: nvme.UpdateResult{Slot: 3, After: "3.0.0", Active: true, Resets: controller}},
		{name: "at reset, by nobody", want: nvme.UpdateResult{Slot: 3, After: "2.0.0", Pending: nvme.AnyControllerReset}},
		{name: "without reset", o: nvme.UpdateOptions{Activation: nvme.ActivateWithoutReset},
			want: nvme.UpdateResult{Slot: 3, After: "3.0.0", Active: true}},
		{name: "stored only", o: nvme.UpdateOptions{Activation: nvme.StoreOnly}, want: nvme.UpdateResult{Slot: 3, After: "2.0.0"}},
		{name: "slot asked for", o: nvme.UpdateOptions{Slot: 2, Reset: nvme.AnyControllerReset},
			want: nvme.UpdateResult{Slot: 2, After: "3.0.0", Active: true, Resets: controller}},
		{name: "needs controller reset", image: nvmetest.ByControllerReset,
			o:    nvme.UpdateOptions{Activation: nvme.ActivateWithoutReset, Reset: nvme.AnyControllerReset},
			want: nvme.UpdateResult{Slot: 3, After: "3.0.0", Active: true, Resets: controller}},
		{name: "needs controller reset, not allowed", image: nvmetest.ByControllerReset,
			o:    nvme.UpdateOptions{Activation: nvme.ActivateWithoutReset},
			want: nvme.UpdateResult{Slot: 3, After: "2.0.0", Pending: nvme.AnyControllerReset}},
		{name: "needs conventional reset", image: nvmetest.ByConventionalReset, o: nvme.UpdateOptions{Reset: nvme.AnyControllerReset},
			want: nvme.UpdateResult{Slot: 3, After: "2.0.0", Pending: nvme.ConventionalReset, Resets: controller}},
		{name: "needs conventional reset, subsystem allowed", image: nvmetest.ByConventionalReset,
			o:    nvme.UpdateOptions{Reset: nvme.SubsystemReset},
			want: nvme.UpdateResult{Slot: 3, After: "3.0.0", Active: true, Resets: both}},
		{name: "needs subsystem reset", image: nvmetest.BySubsystemReset, o: nvme.UpdateOptions{Reset: nvme.SubsystemReset},
			want: nvme.UpdateResult{Slot: 3, After: "3.0.0", Active: true, Resets: both[1:]}},
		{name: "needs subsystem reset, not allowed", image: nvmetest.BySubsystemReset,
			o:    nvme.UpdateOptions{Reset: nvme.AnyControllerReset},
			want: nvme.UpdateResult{Slot: 3, After: "2.0.0", Pending: nvme.SubsystemReset}},
		{name: "takes too long at once", image: nvmetest.TakesTooLong,
			o:    nvme.UpdateOptions{Activation: nvme.ActivateWithoutReset, Reset: nvme.AnyControllerReset},
			want: nvme.UpdateResult{Slot: 3, After: "3.0.0", Active: true, Resets: controller}},
		{name: "prohibited", image: nvmetest.Prohibited, o: nvme.UpdateOptions{Reset: nvme.AnyControllerReset},
			want: nvme.UpdateResult{Slot: 3, After: "2.0.0"}, err: nvme.StatusFirmwareProhibited},
		{name: "does not start", image: nvmetest.FailsToLoad, o: nvme.UpdateOptions{Reset: nvme.AnyControllerReset},
			want: nvme.UpdateResult{Slot: 3, After: "2.0.0", Resets: controller}, err: nvme.ErrNotActivated},
		{name: "drive without activation at once",
			o:      nvme.UpdateOptions{Activation: nvme.ActivateWithoutReset, Reset: nvme.AnyControllerReset},
			want:   nvme.UpdateResult{Slot: 3, After: "3.0.0", Active: true, Resets: controller},
			change: func(p *nvmetest.Profile) { p.Controller.FirmwareUpdates = 1 | 4<<1 }},
		{name: "the only slot", o: nvme.UpdateOptions{Reset: nvme.AnyControllerReset},
			want: nvme.UpdateResult{Slot: 1, After: "3.0.0", Active: true, Resets: controller},
			change: func(p *nvmetest.Profile) {
				p.Controller.FirmwareUpdates = 1 << 1
				p.Firmware.Slots, p.Firmware.Active = []string{"2.0.0"}, 1
			}},
		{name: "the only slot, not reset", want: nvme.UpdateResult{Slot: 1, After: "2.0.0", Pending: nvme.AnyControllerReset},
			change: func(p *nvmetest.Profile) {
				p.Controller.FirmwareUpdates = 1 << 1
				p.Firmware.Slots, p.Firmware.Active = []string{"2.0.0"}, 1
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, c := drive(t, nvmetest.Enterprise(), func(p *nvmetest.Profile) {
				if test.change != nil {
					test.change(p)
				}
			})
			image := nvmetest.Firmware{Revision: "3.0.0", Size: 40 << 10, Activation: test.image}.Image()
			test.o.Consent, test.o.Wait = consent, d.Wait
			got, err := nvme.UpdateFirmware(t.Context(), c, image, test.o)
			if test.err != nil {
				require.ErrorIs(t, err, test.err)
			} else {
				require.NoError(t, err)
			}
			test.want.Before, test.want.Stored = "2.0.0", "3.0.0"
			if test.image == nvmetest.Prohibited {
				test.want.Stored = ""
			}
			got.Commit = nvme.FirmwareCommitResult{}
			require.Equal(t, test.want, got)
			log, err := c.FirmwareSlotLog(t.Context())
			require.NoError(t, err)
			require.Equal(t, got.Active, log.Active() == got.Slot && log.Next() == 0 && log.Revision(got.Slot) == "3.0.0")
		})
	}
}

func TestUpdateFirmwareRefusesBeforeTheDriveIsTouched(t *testing.T) {
	good := nvmetest.Firmware{Revision: "3.0.0"}.Image()
	for _, test := range []struct {
		name  string
		image []byte
		o     nvme.UpdateOptions
		want  string
	}{
		{"no image", nil, nvme.UpdateOptions{Consent: consent},
			"nvme: update firmware: length of the image is 0, want whole dwords: a multiple of 4, not 0"},
		{"part of a dword", make([]byte, 4097), nvme.UpdateOptions{Consent: consent},
			"nvme: update firmware: length of the image is 4097, want whole dwords: a multiple of 4, not 0"},
		{"no serial", good, nvme.UpdateOptions{},
			`nvme: update firmware: Serial is "", want the serial number of the drive that is meant`},
		{"another serial", good, nvme.UpdateOptions{Consent: nvme.Consent{Serial: "X"}},
			`nvme: update firmware: Serial is "X", want "DRIVEBAY0001", which is this drive's, if it is the one that is meant`},
		{"read-only slot", good, nvme.UpdateOptions{Consent: consent, Slot: 1},
			"nvme: update firmware: Slot is 1, want 2 to 4: the drive has 4 slots, slot 1 read-only, activation without reset, overlap detected"},
		{"slot that is not there", good, nvme.UpdateOptions{Consent: consent, Slot: 5},
			"nvme: update firmware: Slot is 5, want 2 to 4: the drive has 4 slots, slot 1 read-only, activation without reset, overlap detected"},
		{"parts off the granularity", good, nvme.UpdateOptions{Consent: consent, PartSize: 6144},
			"nvme: update firmware: PartSize is 6144, want a multiple of 4096 bytes"},
		{"parts above MDTS", good, nvme.UpdateOptions{Consent: consent, PartSize: 1 << 20},
			"nvme: update firmware: PartSize is 1048576, want at most 131072 bytes (MDTS)"},
		{"a reset that nobody here can do", good, nvme.UpdateOptions{Consent: consent, Reset: nvme.ConventionalReset},
			"nvme: update firmware: Reset is conventional reset, want NoReset, AnyControllerReset or SubsystemReset"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, c := drive(t, nvmetest.Enterprise())
			test.o.Wait = d.Wait
			_, err := nvme.UpdateFirmware(t.Context(), c, test.image, test.o)
			require.EqualError(t, err, test.want)
			require.ErrorIs(t, err, os.ErrInvalid)
			require.Zero(t, commands(d, nvme.AdminFirmwareDownload))
		})
	}
	_, c := drive(t, nvmetest.QEMU())
	_, err := nvme.UpdateFirmware(t.Context(), c, good, nvme.UpdateOptions{Consent: consent})
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestUpdateFirmwareSendsTheLastPartAsTheDriveTakesIt(t *testing.T) {
	image := nvmetest.Firmware{Revision: "3.0.0", Size: 10_000}.Image()
	o := nvme.UpdateOptions{Consent: consent, Reset: nvme.AnyControllerReset}

	d, c := drive(t, nvmetest.Enterprise())
	o.Wait = d.Wait
	_, err := nvme.UpdateFirmware(t.Context(), c, image, o)
	require.ErrorIs(t, err, nvme.StatusInvalidField)
	require.ErrorContains(t, err, "part at offset 8192 of 10000 bytes, 1808 bytes where the granularity is 4096: see Pad")

	require.NoError(t, c.Reset(t.Context()))
	o.Pad = true
	r, err := nvme.UpdateFirmware(t.Context(), c, image, o)
	require.NoError(t, err)
	require.True(t, r.Active)

	d, c = drive(t, nvmetest.Enterprise(), func(p *nvmetest.Profile) { p.Firmware.ShortLast = true })
	o.Pad, o.Wait = false, d.Wait
	r, err = nvme.UpdateFirmware(t.Context(), c, image, o)
	require.NoError(t, err)
	require.True(t, r.Active)
}

func TestUpdateFirmwareRetriesWhatMayBeRetried(t *testing.T) {
	image := nvmetest.Firmware{Revision: "3.0.0", Size: 16 << 10}.Image()
	o := nvme.UpdateOptions{Consent: consent, Reset: nvme.AnyControllerReset}
	download := nvmetest.Fault{Opcode: nvme.AdminFirmwareDownload, After: 1}

	d, c := drive(t, nvmetest.Enterprise())
	o.Wait = d.Wait
	download.Count, download.Status = 2, nvme.StatusInterrupted|1<<11 // CRD 1: 100 ms
	fault := d.Inject(download)
	before := d.Now()
	r, err := nvme.UpdateFirmware(t.Context(), c, image, o)
	require.NoError(t, err)
	require.True(t, r.Active)
	require.Equal(t, 2, fault.Struck())
	require.Equal(t, 6, commands(d, nvme.AdminFirmwareDownload))
	require.GreaterOrEqual(t, d.Now()-before, 300*time.Millisecond)

	d, c = drive(t, nvmetest.Enterprise())
	o.Wait = d.Wait
	download.Status = nvme.StatusInternalError.WithDNR()
	d.Inject(download)
	_, err = nvme.UpdateFirmware(t.Context(), c, image, o)
	require.ErrorIs(t, err, nvme.StatusInternalError)
	require.Equal(t, 2, commands(d, nvme.AdminFirmwareDownload), "DNR is obeyed")

	d, c = drive(t, nvmetest.Enterprise())
	o.Wait = d.Wait
	download.Count, download.Status = 0, nvme.StatusInterrupted
	d.Inject(download)
	_, err = nvme.UpdateFirmware(t.Context(), c, image, o)
	require.ErrorIs(t, err, nvme.StatusInterrupted)
	require.Equal(t, 6, commands(d, nvme.AdminFirmwareDownload), "retries are bounded")
}

func TestUpdateFirmwareStopsWithItsContext(t *testing.T) {
	d, c := drive(t, nvmetest.Enterprise())
	ctx, cancel := context.WithCancel(t.Context())
	o := nvme.UpdateOptions{Consent: consent}
	o.Wait = d.Wait
	o.Progress = func(p nvme.Progress) {
		if p.Percent() >= 50 {
			cancel()
		}
	}
	_, err := nvme.UpdateFirmware(ctx, c, nvmetest.Firmware{Revision: "3.0.0"}.Image(), o)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, commands(d, nvme.AdminFirmwareCommit))
}

func TestUpdateFirmwareSaysWhatAnUnansweredCommitHasLeft(t *testing.T) {
	d, c := drive(t, nvmetest.Enterprise())
	o := nvme.UpdateOptions{Consent: consent, Activation: nvme.StoreOnly}
	o.Wait = d.Wait
	d.Inject(nvmetest.Fault{Opcode: nvme.AdminFirmwareCommit, Delay: time.Hour}) // its timeout is 10 minutes
	r, err := nvme.UpdateFirmware(t.Context(), c, nvmetest.Firmware{Revision: "3.0.0"}.Image(), o)
	require.ErrorIs(t, err, nvme.ErrExpired)
	require.ErrorContains(t, err, `(slot 3 now has "", 2.0.0 runs)`)
	require.Equal(t, nvme.UpdateResult{Slot: 3, Before: "2.0.0", After: "2.0.0"}, r)
}

func TestUpdateFirmwareIsRefusedByADryRun(t *testing.T) {
	d, _ := drive(t, nvmetest.Consumer())
	c := nvme.NewController(nvme.NewDryRun(d))
	p, err := nvme.PlanUpdate(t.Context(), c, nvmetest.Firmware{Revision: "2"}.Image(), nvme.UpdateOptions{Consent: consent})
	require.NoError(t, err)
	require.Equal(t, `update firmware
  drive      Drivebay Consumer, serial DRIVEBAY0001, firmware 1.0.0
  image      65536 bytes in 16 parts of 4096
  slot       2, which is empty
  commit     replace, activate at reset
  reset      none; it is left to you
`, p.String())
	_, err = p.Run(t.Context())
	require.ErrorIs(t, err, nvme.ErrDryRun)
	require.Zero(t, commands(d, nvme.AdminFirmwareDownload))
}

func TestFormatNamespace(t *testing.T) {
	for _, test := range []struct {
		name string
		o    nvme.NamespaceFormat
		want nvme.FormatResult
	}{
		{"as it is", nvme.NamespaceFormat{}, nvme.FormatResult{After: nvme.LBAFormat{DataSize: 9}, Blocks: 1 << 20}},
		{"larger blocks", nvme.NamespaceFormat{BlockSize: 4096}, nvme.FormatResult{After: nvme.LBAFormat{DataSize: 12}, Blocks: 1 << 17}},
		{"format 9", nvme.NamespaceFormat{BlockSize: 4096, MetadataSize: 128},
			nvme.FormatResult{After: nvme.LBAFormat{DataSize: 12, MetadataSize: 128}, Blocks: 1 << 17}},
		{"protected", nvme.NamespaceFormat{BlockSize: 512, MetadataSize: 8, Protection: 1, ExtendedLBA: true, Erase: nvme.CryptographicErase},
			nvme.FormatResult{After: nvme.LBAFormat{DataSize: 9, MetadataSize: 8}, Blocks: 1 << 20}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, c := drive(t, nvmetest.Enterprise(), func(p *nvmetest.Profile) { p.Stepped, p.ReadyTime = true, 0 })
			ns, err := c.Namespace(t.Context(), 1)
			require.NoError(t, err)
			require.NoError(t, ns.Write(t.Context(), 7, bytes.Repeat([]byte{1}, 512), nvme.IOOptions{}))
			var last nvme.Progress
			test.o.Consent, test.o.NSID, test.o.Wait, test.o.Interval = consent, 1, d.Wait, 10*time.Second
			test.o.Progress = func(p nvme.Progress) {
				require.GreaterOrEqual(t, p.Percent(), last.Percent())
				last = p
			}
			got, err := nvme.FormatNamespace(t.Context(), c, test.o)
			require.NoError(t, err)
			test.want.Before = nvme.LBAFormat{DataSize: 9}
			require.Equal(t, test.want, got)
			require.Equal(t, "format 100%", last.String())
			require.GreaterOrEqual(t, d.Now(), 2*time.Minute, "the format took its time")
			data := make([]byte, 512)
			_, err = d.Namespace(1).ReadAt(data, 7*512)
			require.NoError(t, err)
			require.Equal(t, make([]byte, 512), data)
		})
	}
}

func TestFormatNamespaceLivesLongerThanADefaultTimeout(t *testing.T) {
	d, c := drive(t, nvmetest.Old12()) // 90 s, where the kernel gives up after 60 s
	o := nvme.NamespaceFormat{Consent: consent, NSID: 1}
	o.Wait = d.Wait
	_, err := nvme.FormatNamespace(t.Context(), c, o)
	require.NoError(t, err)
	entries, _ := d.Journal()
	for _, e := range entries {
		require.NotEqual(t, nvmetest.ControllerReset.String(), e.Happened)
	}
}

func TestFormatNamespaceRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		o    nvme.NamespaceFormat
		err  error
		want string
	}{
		{"no serial", nvme.NamespaceFormat{NSID: 1}, os.ErrInvalid, "want the serial number"},
		{"all at once", nvme.NamespaceFormat{Consent: consent, NSID: nvme.BroadcastNSID}, os.ErrInvalid, "FFFFFFFFh (all), want one namespace"},
		{"NSID 0", nvme.NamespaceFormat{Consent: consent}, os.ErrInvalid, "never 0"},
		{"inactive", nvme.NamespaceFormat{Consent: consent, NSID: 9}, os.ErrInvalid, "want an active namespace"},
		{"blocks not offered", nvme.NamespaceFormat{Consent: consent, NSID: 1, BlockSize: 2048}, os.ErrInvalid,
			"BlockSize and MetadataSize is 2048+0, want one of 512, 512+8, 512+16, 512+64, 512+128, 4096, 4096+8"},
		{"protection without room", nvme.NamespaceFormat{Consent: consent, NSID: 1, BlockSize: 512, Protection: 1}, os.ErrInvalid, "Protection is 1"},
		{"in use", nvme.NamespaceFormat{Consent: consent, NSID: 2}, nvme.ErrInUse, "nsid 2: mounted on /srv"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, _ := drive(t, nvmetest.Enterprise())
			d.Namespace(2).Use("mounted on /srv")
			// A wrapper hides nothing of who uses the namespace.
			c := nvme.NewController(nvme.NewTracer(d, func(nvme.Trace) {}))
			test.o.Wait = d.Wait
			_, err := nvme.FormatNamespace(t.Context(), c, test.o)
			require.ErrorIs(t, err, test.err)
			require.ErrorContains(t, err, test.want)
			require.Zero(t, commands(d, nvme.AdminFormatNVM))
			if test.err == nvme.ErrInUse {
				test.o.Force = true
				_, err := nvme.FormatNamespace(t.Context(), c, test.o)
				require.NoError(t, err)
			}
		})
	}
}

func TestSanitizeAndFollow(t *testing.T) {
	ctx := t.Context()
	d, c := drive(t, nvmetest.Enterprise())
	ns, err := c.Namespace(ctx, 1)
	require.NoError(t, err)
	require.NoError(t, ns.Write(ctx, 0, bytes.Repeat([]byte{1}, 512), nvme.IOOptions{}))
	follow := nvme.Follow{Wait: d.Wait, Interval: 75 * time.Second} // an eighth
	_, err = nvme.FollowSanitize(ctx, c, follow)
	require.ErrorIs(t, err, nvme.ErrNothingToFollow)

	// The program that starts it goes away.
	leaving, leave := context.WithCancel(ctx)
	var steps []int
	follow.Progress = func(p nvme.Progress) {
		if steps = append(steps, p.Percent()); p.Percent() >= 30 {
			leave()
		}
	}
	_, err = nvme.RunSanitize(leaving, c, nvme.SanitizeOptions{Action: nvme.BlockErase}, consent, follow)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []int{0, 12, 25, 37}, steps)

	// Meanwhile there is no I/O, and a reset does not stop it.
	require.ErrorIs(t, ns.Read(ctx, 0, make([]byte, 512), nvme.IOOptions{}), nvme.StatusSanitizeInProgress)
	require.NoError(t, c.Reset(ctx))

	// The next one takes it up.
	steps, follow.Progress = nil, func(p nvme.Progress) { steps = append(steps, p.Percent()) }
	r, err := nvme.FollowSanitize(ctx, nvme.NewController(d), follow)
	require.NoError(t, err)
	require.Equal(t, "sanitized, nothing written since", r.String())
	require.Equal(t, 100, steps[len(steps)-1])
	ns, err = c.Namespace(ctx, 1)
	require.NoError(t, err)
	data := []byte{1}
	data = append(data, make([]byte, 511)...)
	require.NoError(t, ns.Read(ctx, 0, data, nvme.IOOptions{}))
	require.Equal(t, make([]byte, 512), data)
}

func TestSanitizeThatFails(t *testing.T) {
	ctx := t.Context()
	d, c := drive(t, nvmetest.Enterprise())
	follow := nvme.Follow{Wait: d.Wait, Interval: time.Minute}
	d.FailSanitize()
	r, err := nvme.RunSanitize(ctx, c, nvme.SanitizeOptions{Action: nvme.Overwrite, Passes: 2, AllowUnrestrictedExit: true}, consent, follow)
	require.ErrorIs(t, err, nvme.ErrSanitizeFailed)
	require.ErrorContains(t, err, "50% done")
	require.Equal(t, nvme.SanitizeFailed, r.State)
	ns, err := c.Namespace(ctx, 1)
	require.NoError(t, err)
	require.ErrorIs(t, ns.Flush(ctx), nvme.StatusSanitizeFailed)
	_, err = nvme.RunSanitize(ctx, c, nvme.SanitizeOptions{Action: nvme.ExitFailureMode}, consent, follow)
	require.NoError(t, err)
	require.NoError(t, ns.Flush(ctx))
}

func TestSanitizeRefuses(t *testing.T) {
	d, c := drive(t, nvmetest.Consumer())
	follow := nvme.Follow{Wait: d.Wait}
	_, err := nvme.RunSanitize(t.Context(), c, nvme.SanitizeOptions{Action: nvme.Overwrite}, consent, follow)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = nvme.RunSanitize(t.Context(), c, nvme.SanitizeOptions{Action: nvme.BlockErase}, nvme.Consent{}, follow)
	require.ErrorIs(t, err, os.ErrInvalid)
	d.Namespace(1).Use("swap")
	p, err := nvme.PlanSanitize(t.Context(), c, nvme.SanitizeOptions{Action: nvme.BlockErase}, consent, follow)
	require.NoError(t, err)
	require.Equal(t, `sanitize
  drive      Drivebay Consumer, serial DRIVEBAY0001, firmware 1.0.0
  action     block erase
  takes      about 3m0s, by the drive
  destroys   all data of the drive, on every namespace (here nsid 1)
  in use     nsid 1: swap
`, p.String())
	_, err = p.Run(t.Context())
	require.ErrorIs(t, err, nvme.ErrInUse)
	require.Zero(t, commands(d, nvme.AdminSanitize))
}

func TestSelfTest(t *testing.T) {
	ctx := t.Context()
	d, c := drive(t, nvmetest.Consumer())
	follow := nvme.Follow{Wait: d.Wait, Interval: 30 * time.Second}
	_, err := nvme.FollowSelfTest(ctx, c, follow)
	require.ErrorIs(t, err, nvme.ErrNothingToFollow)

	var steps []string
	follow.Progress = func(p nvme.Progress) { steps = append(steps, p.String()) }
	r, err := nvme.RunSelfTest(ctx, c, nvme.BroadcastNSID, nvme.ShortSelfTest, follow)
	require.NoError(t, err)
	require.Equal(t, nvme.SelfTestPassed, r.Outcome())
	require.Equal(t, []string{"short self-test 0%", "short self-test 25%", "short self-test 50%", "short self-test 75%",
		"short self-test 100%"}, steps)

	d.Namespace(1).Corrupt(4711, 1)
	r, err = nvme.RunSelfTest(ctx, c, 1, nvme.ExtendedSelfTest, follow)
	require.NoError(t, err)
	require.Equal(t, nvme.SelfTestSegmentFailed, r.Outcome())
	nsid, lba, ok := r.Where()
	require.Equal(t, fmt.Sprint(1, 4711, true), fmt.Sprint(nsid, lba, ok))
	status, _ := r.Cause()
	require.Equal(t, nvme.StatusUnrecoveredRead, status)

	require.NoError(t, c.SelfTest(ctx, 0, nvme.ExtendedSelfTest))
	_, err = nvme.RunSelfTest(ctx, c, 0, nvme.ShortSelfTest, follow)
	require.ErrorIs(t, err, nvme.StatusSelfTestInProgress)
	r, err = nvme.StopSelfTest(ctx, c, follow)
	require.NoError(t, err)
	require.Equal(t, nvme.SelfTestAborted, r.Outcome())
	require.Equal(t, nvme.ExtendedSelfTest, r.Test())
}
