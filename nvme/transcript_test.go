package nvme

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// session is a few commands of all kinds.
func session(ctx context.Context, t Transport) (outcomes []string) {
	c := NewController(t)
	note := func(v any, err error) { outcomes = append(outcomes, errText(v, err)) }
	id, err := c.Identify(ctx)
	note(id.SerialNumber, err)
	log, err := c.SMARTLog(ctx)
	note(log, err)
	n, err := c.Namespace(ctx, 1)
	if err != nil {
		return append(outcomes, err.Error())
	}
	data := bytes.Repeat([]byte{7}, 4096)
	note(nil, n.Write(ctx, 3, data, IOOptions{}))
	note(nil, n.Read(ctx, 3, data, IOOptions{}))
	note(data, nil)
	note(nil, c.Reset(ctx))
	note(nil, c.SelfTest(ctx, 1, ShortSelfTest))
	return outcomes
}

func errText(v any, err error) string {
	if err != nil {
		return err.Error()
	}
	b, _ := v.([]byte)
	return strings.ToUpper(string(bytes.TrimRight(b, "\x00")))
}

func recordedDrive() *fakeDrive {
	d := newFakeDrive()
	d.controller.SerialNumber = "S1"
	d.answer = func(cmd Command) (Completion, error) {
		switch {
		case cmd.Queue == IOQueue && cmd.Opcode == IORead:
			clear(cmd.Data[copy(cmd.Data, "data"):])
		case cmd.Opcode == AdminSelfTest:
			return Completion{}, errors.New("the cable fell out")
		case cmd.Opcode == AdminGetLogPage:
			return Completion{Status: StatusInvalidLogPage.WithDNR(), Result: 5}, nil
		}
		return Completion{}, nil
	}
	return d
}

// What was recorded is replayed: the same commands have the same outcomes.
func TestRecordAndReplay(t *testing.T) {
	var transcript bytes.Buffer
	live := session(t.Context(), NewRecorder(recordedDrive(), &transcript))
	require.Contains(t, live, "DATA")
	require.Contains(t, live, "the cable fell out")

	r, err := NewReplayer(bytes.NewReader(transcript.Bytes()))
	require.NoError(t, err)
	require.Equal(t, 8, r.Remaining())
	require.Equal(t, live, session(t.Context(), r))
	require.Zero(t, r.Remaining())

	_, err = r.Submit(t.Context(), Command{Opcode: AdminIdentify})
	require.ErrorIs(t, err, ErrTranscript)
	require.ErrorContains(t, err, "has ended after 8 entries")

	r, err = NewReplayer(bytes.NewReader(transcript.Bytes()))
	require.NoError(t, err)
	_, err = r.Submit(t.Context(), Command{Opcode: AdminIdentify, CDW10: 2, Data: make([]byte, 4096)})
	require.ErrorIs(t, err, ErrTranscript)
	require.ErrorContains(t, err, "entry 1 is identify (admin opcode 06h, cdw10 00000001h)")
	require.Equal(t, 8, r.Remaining())
}

func TestReplayerRefuses(t *testing.T) {
	for _, text := range []string{"{", `{"opcode":"x"}`, `{"opcode":6,"bytes":1,"read":"0102"}`, `{"opcode":6,"read":"0"}`, `{"opcode":300}`} {
		_, err := NewReplayer(strings.NewReader(text))
		require.ErrorContains(t, err, "transcript: entry 1")
	}
}

func FuzzReplayer(f *testing.F) {
	f.Add([]byte(`{"queue":"admin","opcode":6,"cdw10":1,"bytes":4096,"read":"0102"}`))
	f.Add([]byte(`{"operation":"controller reset"}{"opcode":2,"bytes":-1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReplayer(bytes.NewReader(b))
		if err != nil {
			return
		}
		_, _ = NewController(r).Identify(t.Context())
		_ = r.Operate(t.Context(), ResetController)
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestRecorderReportsWriteErrors(t *testing.T) {
	_, err := NewRecorder(newFakeDrive(), brokenWriter{}).Submit(t.Context(), Command{Opcode: AdminIdentify})
	require.ErrorContains(t, err, "disk full")
}

func TestTracer(t *testing.T) {
	var traces []string
	d := recordedDrive()
	tracer := NewTracer(d, func(tr Trace) {
		tr.Took = 0
		traces = append(traces, tr.String())
	})
	c := NewController(tracer)
	_, _ = c.SMARTLog(t.Context())
	_ = c.Reset(t.Context())
	_ = c.SelfTest(t.Context(), BroadcastNSID, ShortSelfTest)
	require.Equal(t, []string{
		"get log page (admin opcode 02h, nsid all, cdw10 007F0002h, 512 bytes of data): invalid log page (SCT 1h, SC 09h, do not retry), result 5h (0s)",
		"controller reset: done (0s)",
		"device self-test (admin opcode 14h, nsid all, cdw10 00000001h): the cable fell out (0s)",
	}, traces)
}

// Everything that changes the drive is refused by name; reads pass.
func TestDryRun(t *testing.T) {
	for _, c := range []struct {
		cmd     Command
		changes bool
	}{
		{Command{Opcode: AdminIdentify}, false},
		{Command{Opcode: AdminGetFeatures}, false},
		{Command{Opcode: AdminGetLogPage, CDW10: 0x02}, false},
		{Command{Opcode: AdminGetLogPage, CDW10: 0x07}, false},
		{Command{Opcode: AdminGetLogPage, CDW10: 0x107}, true}, // captures anew
		{Command{Opcode: AdminGetLogPage, CDW10: 0x10d}, false},
		{Command{Opcode: AdminSecurityReceive}, false},
		{Command{Opcode: AdminDirectiveReceive, CDW11: 0x101}, false},
		{Command{Opcode: AdminDirectiveReceive, CDW11: 0x103}, true},
		{Command{Opcode: AdminGetLBAStatus}, false},
		{Command{Opcode: AdminSetFeatures}, true},
		{Command{Opcode: AdminFormatNVM}, true},
		{Command{Opcode: AdminSanitize}, true},
		{Command{Opcode: AdminFirmwareDownload}, true},
		{Command{Opcode: AdminFirmwareCommit}, true},
		{Command{Opcode: AdminSelfTest}, true},
		{Command{Opcode: AdminNamespaceManagement}, true},
		{Command{Opcode: AdminSecuritySend}, true},
		{Command{Opcode: 0xc2}, true}, // a vendor's, although it only returns data
		{Command{Queue: IOQueue, Opcode: IORead}, false},
		{Command{Queue: IOQueue, Opcode: IOCompare}, false},
		{Command{Queue: IOQueue, Opcode: IOVerify}, false},
		{Command{Queue: IOQueue, Opcode: IOFlush}, false},
		{Command{Queue: IOQueue, Opcode: IOReservationReport}, false},
		{Command{Queue: IOQueue, Opcode: IOWrite}, true},
		{Command{Queue: IOQueue, Opcode: IOWriteZeroes}, true},
		{Command{Queue: IOQueue, Opcode: IODatasetManagement}, true},
		{Command{Queue: IOQueue, Opcode: IOCopy}, true},
		{Command{Queue: IOQueue, Opcode: IOReservationAcquire}, true},
		{Command{Queue: IOQueue, Opcode: 0x80}, true},
	} {
		d := newFakeDrive()
		_, err := NewDryRun(d).Submit(t.Context(), c.cmd)
		if !c.changes {
			require.NoError(t, err, "%v", c.cmd)
			continue
		}
		require.ErrorIs(t, err, ErrDryRun)
		require.ErrorContains(t, err, c.cmd.Name())
		require.Empty(t, d.commands)
	}
	d := newFakeDrive()
	c := NewController(NewDryRun(d))
	require.ErrorIs(t, c.Reset(t.Context()), ErrDryRun)
	require.NoError(t, c.Rescan(t.Context()))
	require.Equal(t, []Operation{RescanNamespaces}, d.operations)
	err := c.Format(t.Context(), FormatOptions{NSID: 1, Format: 1})
	require.EqualError(t, err, "nvme: format NVM (admin opcode 80h, nsid 1, cdw10 00000001h): refused, as this is a dry run")
}

// A wrapped transport still knows which namespace it is of.
func TestNSIDThroughWrappers(t *testing.T) {
	c := NewController(NewTracer(NewDryRun(NewRecorder(newFakeDrive(), brokenWriter{})), nil))
	nsid, err := c.NSID()
	require.NoError(t, err)
	require.Equal(t, uint32(4), nsid)
	_, err = NewController(nullTransport{}).NSID()
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, NewController(nullTransport{}).Reset(t.Context()), errors.ErrUnsupported)
}
