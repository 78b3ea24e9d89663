package nvme

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Values seen live: SC 7:0, SCT 10:8, CRD 12:11, MORE 13, DNR 14. Defects 2
// and 10.
func TestStatus(t *testing.T) {
	for _, c := range []struct {
		status    Status
		code      Status
		sct       StatusType
		sc        uint8
		crd       int
		more, dnr bool
		text      string
	}{
		{0x0000, StatusSuccess, GenericStatus, 0, 0, false, false, "successful completion (SCT 0h, SC 00h)"},
		{0x4001, StatusInvalidOpcode, GenericStatus, 1, 0, false, true, "invalid command opcode (SCT 0h, SC 01h, do not retry)"},
		{0x4080, StatusLBAOutOfRange, GenericStatus, 0x80, 0, false, true, "LBA out of range (SCT 0h, SC 80h, do not retry)"},
		{0x0285, StatusCompareFailure, MediaStatus, 0x85, 0, false, false, "compare failure (SCT 2h, SC 85h)"},
		{0x600f, StatusInvalidSGLDataLength, GenericStatus, 0x0f, 0, true, true, "data SGL length invalid (SCT 0h, SC 0Fh, more in the error log, do not retry)"},
		{0x1821, StatusInterrupted, GenericStatus, 0x21, 3, false, false, "command interrupted (SCT 0h, SC 21h, CRD 3)"},
		{0x0370, StatusHostPathError, PathStatus, 0x70, 0, false, false, "host pathing error (SCT 3h, SC 70h)"},
		{0x07c5, 0x7c5, VendorStatus, 0xc5, 0, false, false, "vendor specific status (SCT 7h, SC C5h)"},
		{0x0412, 0x412, 4, 0x12, 0, false, false, "reserved status type 4h status (SCT 4h, SC 12h)"},
	} {
		s := c.status
		require.Equal(t, c.code, s.Code())
		require.Equal(t, c.sct, s.SCT())
		require.Equal(t, c.sc, s.SC())
		require.Equal(t, c.crd, s.CRD())
		require.Equal(t, c.more, s.More())
		require.Equal(t, c.dnr, s.DNR())
		require.Equal(t, c.text, s.String())
		require.Equal(t, c.code == 0, s.Success())
		require.Equal(t, c.code, NewStatus(c.sct, c.sc))
		err := fmt.Errorf("wrapped: %w", &CommandError{Status: s})
		require.ErrorIs(t, err, c.code)
		require.NotErrorIs(t, err, c.code+1)
		var got Status
		require.True(t, errors.As(err, &got))
		require.Equal(t, s, got)
	}
}

// Every constant has a name, and no two the same.
func TestStatusNames(t *testing.T) {
	seen := map[string]Status{}
	for s, name := range statusNames {
		require.Equal(t, s, s.Code())
		require.NotContains(t, seen, name)
		require.True(t, strings.HasPrefix(s.String(), name))
		seen[name] = s
	}
}

func TestUint128(t *testing.T) {
	for _, c := range []struct {
		n    Uint128
		text string
		fits bool
	}{
		{Uint128{}, "0", true},
		{Uint128{Lo: 1<<64 - 1}, "18446744073709551615", true},
		{Uint128{Hi: 1}, "18446744073709551616", false},
		{Uint128{Lo: 1<<64 - 1, Hi: 1<<64 - 1}, "340282366920938463463374607431768211455", false},
	} {
		require.Equal(t, c.text, c.n.String())
		_, fits := c.n.Uint64()
		require.Equal(t, c.fits, fits)
		b, err := c.n.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, c.text, string(b))
	}
	require.InEpsilon(t, 3.4e38, Uint128{Hi: 1<<64 - 1}.Float64(), 0.01)
}

// Defect 11: validity bits.
func TestSelfTestResult(t *testing.T) {
	r := SelfTestResult{Status: 0x27, NSID: 1, FailingLBA: 2, StatusType: 2, StatusCode: 0x81}
	require.Equal(t, ExtendedSelfTest, r.Test())
	require.Equal(t, SelfTestSegmentFailed, r.Outcome())
	_, _, ok := r.Where()
	require.False(t, ok)
	_, ok = r.Cause()
	require.False(t, ok)
	r.Valid = 0xf
	nsid, lba, ok := r.Where()
	require.True(t, ok)
	require.Equal(t, []uint64{1, 2}, []uint64{uint64(nsid), lba})
	cause, ok := r.Cause()
	require.True(t, ok)
	require.Equal(t, StatusUnrecoveredRead, cause)
}

func TestIdentifyMethods(t *testing.T) {
	id := IdentifyController{MaxDataTransferSize: 5, CommandRetryDelay: [3]uint16{1, 20, 300}, FirmwareUpdates: 0x37, Version: 0x00010201}
	require.Equal(t, uint64(131072), id.MaxTransfer(4096))
	require.Equal(t, "2s", id.RetryDelay(StatusInterrupted|2<<11).String())
	require.Zero(t, id.RetryDelay(StatusInterrupted))
	require.Zero(t, id.RetryDelay(StatusInterrupted.WithDNR()|2<<11))
	require.Equal(t, "1.2.1", id.Version.String())
	require.Equal(t, "3 slots, slot 1 read-only, activation without reset, overlap detected", id.FirmwareUpdates.String())
	for fwug, want := range map[uint8]int64{0: 0, 1: 4096, 255: 0} {
		require.Equal(t, want, (&IdentifyController{FirmwareGranularity: fwug}).FirmwareUpdateGranularity())
	}

	ns := IdentifyNamespace{FormatCount: 15, UniqueFormatCount: 1, FormattedLBASize: 0x20}
	require.Equal(t, 16, ns.FormatIndex(), "bits 6:5 count with more than 16 formats")
	ns.UniqueFormatCount = 0
	require.Equal(t, 0, ns.FormatIndex())
	require.Equal(t, "4096+8", LBAFormat{MetadataSize: 8, DataSize: 12}.String())
	require.Zero(t, LBAFormat{DataSize: 63}.BlockSize())

	p := PowerState{MaxPower: 25, IdlePower: 5, IdlePowerScale: 1 << 6, ActivePower: 7, ActivePowerScale: 2<<6 | 3}
	require.Equal(t, []uint64{250_000, 500, 70_000, 3}, []uint64{p.MaxMicrowatts(), p.IdleMicrowatts(), p.ActiveMicrowatts(), uint64(p.Workload())})
	p.Flags = MaxPowerScale
	require.Equal(t, uint64(2500), p.MaxMicrowatts())
}
