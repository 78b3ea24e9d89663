package nvmetest_test

import (
	"bytes"
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// read4K reads the first 4 KiB of namespace 1 of a consumer drive.
func read4K() nvme.Command {
	return nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IORead, NSID: 1, CDW12: 7, Data: bytes.Repeat([]byte{0xee}, 4096)}
}

func TestFaultsStrikeWhatTheyName(t *testing.T) {
	d := newDrive(t, nvmetest.Consumer())
	f := d.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, NSID: 1, After: 1, Count: 2, Status: nvme.StatusUnrecoveredRead})
	var got []nvme.Status
	for range 4 {
		s, _ := submit(t, d, read4K())
		got = append(got, s)
	}
	require.Equal(t, []nvme.Status{0, nvme.StatusUnrecoveredRead, nvme.StatusUnrecoveredRead, 0}, got)
	require.Equal(t, 2, f.Struck())
	s, _ := submit(t, d, nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IOFlush, NSID: 1})
	require.Equal(t, nvme.StatusSuccess, s)

	d.Inject(nvmetest.Fault{Opcode: nvme.AdminGetLogPage, LogPage: nvme.LogSMART, Status: nvme.StatusInternalError})
	c := nvme.NewController(d)
	_, err := c.SMARTLog(t.Context())
	require.ErrorIs(t, err, nvme.StatusInternalError)
	_, err = c.FirmwareSlotLog(t.Context())
	require.NoError(t, err)

	any := d.Inject(nvmetest.Fault{Any: true, Status: nvme.StatusPathInternalError})
	_, err = c.Identify(t.Context())
	require.ErrorIs(t, err, nvme.StatusPathInternalError)
	any.Remove()
	_, err = c.Identify(t.Context())
	require.NoError(t, err)
}

func TestDelayTakesTimeOfTheDrivesClock(t *testing.T) {
	d := newDrive(t, nvmetest.Consumer())
	d.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Delay: 7 * time.Second})
	s, _ := submit(t, d, read4K())
	require.Equal(t, nvme.StatusSuccess, s)
	require.Equal(t, 7*time.Second, d.Now())

	cmd := read4K()
	cmd.Timeout = 5 * time.Second
	_, err := d.Submit(t.Context(), cmd)
	require.ErrorIs(t, err, nvme.ErrExpired)
	require.Equal(t, bytes.Repeat([]byte{0xee}, 4096), cmd.Data)
	d.Advance(time.Hour)
	require.Equal(t, bytes.Repeat([]byte{0xee}, 4096), cmd.Data, "the buffer is the host's again")
}

func TestHangEndsBy(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(d *nvmetest.Drive, f *nvmetest.Injected, cancel func())
		want nvme.Status
		err  error
	}{
		"release":     {func(_ *nvmetest.Drive, f *nvmetest.Injected, _ func()) { f.Release() }, nvme.StatusSuccess, nil},
		"cancel":      {func(_ *nvmetest.Drive, _ *nvmetest.Injected, cancel func()) { cancel() }, 0, context.Canceled},
		"timeout":     {func(d *nvmetest.Drive, _ *nvmetest.Injected, _ func()) { d.Advance(30 * time.Second) }, 0, nvme.ErrExpired},
		"reset":       {func(d *nvmetest.Drive, _ *nvmetest.Injected, _ func()) { d.Reset(nvmetest.ControllerReset) }, nvme.StatusAbortedByHost, nil},
		"power cycle": {func(d *nvmetest.Drive, _ *nvmetest.Injected, _ func()) { d.Reset(nvmetest.PowerCycle) }, 0, syscall.ENODEV},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			d := newDrive(t, nvmetest.Consumer())
			f := d.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Hang: true})
			type answer struct {
				done nvme.Completion
				err  error
			}
			answers := make(chan answer)
			go func() {
				done, err := d.Submit(ctx, read4K())
				answers <- answer{done, err}
			}()
			require.Eventually(t, func() bool { return f.Hanging() == 1 }, time.Minute, time.Millisecond)
			test.end(d, f, cancel)
			got := <-answers
			require.ErrorIs(t, got.err, test.err)
			require.Equal(t, test.want, got.done.Status.Code())
			require.Zero(t, f.Hanging())
			f.Remove()
			s, _ := submit(t, d, read4K())
			require.Equal(t, nvme.StatusSuccess, s, "the drive lives on")
		})
	}
}

func TestDataThatGoesWrong(t *testing.T) {
	d := newDrive(t, nvmetest.Consumer())
	write := read4K()
	write.Opcode, write.Data = nvme.IOWrite, bytes.Repeat([]byte{1}, 4096)
	s, _ := submit(t, d, write)
	require.Equal(t, nvme.StatusSuccess, s)
	short := d.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Short: 1 + 1000})
	cmd := read4K()
	s, _ = submit(t, d, cmd)
	require.Equal(t, nvme.StatusSuccess, s)
	require.Equal(t, append(bytes.Repeat([]byte{1}, 1000), bytes.Repeat([]byte{0xee}, 3096)...), cmd.Data)
	short.Remove()
	d.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, Corrupt: func(b []byte) { b[17] ^= 0x80 }})
	s, _ = submit(t, d, cmd)
	require.Equal(t, nvme.StatusSuccess, s)
	require.Equal(t, byte(0x81), cmd.Data[17])
}

func TestDriveVanishesInMidCommand(t *testing.T) {
	for _, first := range []bool{false, true} {
		d := newDrive(t, nvmetest.Consumer())
		d.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, Vanish: !first, VanishFirst: first})
		write := read4K()
		write.Opcode = nvme.IOWrite
		_, err := d.Submit(t.Context(), write)
		require.ErrorIs(t, err, syscall.ENODEV)
		_, err = d.Submit(t.Context(), read4K())
		require.ErrorIs(t, err, syscall.ENODEV)
		require.ErrorIs(t, d.Operate(t.Context(), nvme.ResetController), syscall.ENODEV)
		d.Return()
		cmd := read4K()
		s, _ := submit(t, d, cmd)
		require.Equal(t, nvme.StatusSuccess, s)
		require.Equal(t, !first, cmd.Data[0] == 0xee, "whether it was carried out")
		smart, err := nvme.NewController(d).SMARTLog(t.Context())
		require.NoError(t, err)
		require.Equal(t, nvme.Uint128{Lo: 1}, smart.UnsafeShutdowns)
	}
}

func TestPowerOff(t *testing.T) {
	d := newDrive(t, nvmetest.Consumer())
	d.PowerOff()
	_, err := d.Submit(t.Context(), read4K())
	require.ErrorIs(t, err, syscall.ENODEV)
	d.PowerOn()
	s, _ := submit(t, d, read4K())
	require.Equal(t, nvme.StatusSuccess, s)
	require.Equal(t, 500*time.Millisecond, d.Now(), "it took its time to be ready")
}

func TestJournal(t *testing.T) {
	d := newDrive(t, nvmetest.Consumer(), func(p *nvmetest.Profile) { p.JournalLimit = 3 })
	for range 3 {
		submit(t, d, read4K())
	}
	submit(t, d, nvme.Command{Opcode: nvme.AdminGetFeatures, CDW10: 7})
	d.Reset(nvmetest.ControllerReset)
	var lines []string
	entries, lost := d.Journal()
	for _, e := range entries {
		require.Nil(t, e.Command.Data)
		lines = append(lines, e.String())
	}
	require.Equal(t, 2, lost)
	require.Equal(t, []string{
		"0s controller 1: read (I/O opcode 02h, nsid 1, cdw12 00000007h) 4096 bytes: successful completion (SCT 0h, SC 00h)",
		"0s controller 1: get features (admin opcode 0Ah, cdw10 00000007h): successful completion (SCT 0h, SC 00h), result 70007h",
		"0s controller 1: controller reset",
	}, lines)
	d.ForgetJournal()
	entries, lost = d.Journal()
	require.Empty(t, entries)
	require.Zero(t, lost)
}
