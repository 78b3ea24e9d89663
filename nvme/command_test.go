package nvme

import (
	"context"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every method and the dwords that the specification wants of it, computed by
// hand.
func TestCommandEncoding(t *testing.T) {
	d := newFakeDrive()
	c := NewController(d)
	ctx := t.Context()
	n := func() *Namespace {
		n, err := c.Namespace(ctx, 1)
		require.NoError(t, err)
		return n
	}
	le := func(dwords ...uint32) []byte {
		var b []byte
		for _, dw := range dwords {
			b = append(b, byte(dw), byte(dw>>8), byte(dw>>16), byte(dw>>24))
		}
		return b
	}
	opts := IOOptions{
		ForceUnitAccess: true, LimitedRetry: true, Protect: ProtectionAction | CheckGuard, ReferenceTag: 0xcafe,
		ApplicationTag: 0x1122, ApplicationMask: 0xffff, DatasetHints: 0x5, Directive: StreamsDirective, Specific: 9,
	}
	const gib8 = 0x1_2345_6789
	page := make([]byte, 4096)
	for _, test := range []struct {
		name string
		call func() error
		want Command
	}{
		{"get log page", func() error {
			return c.LogPage(ctx, LogPageRequest{
				ID: LogEnduranceGroup, NSID: 2, Parameter: 0x7f, SpecificID: 0x1234, CommandSet: ZonedCommandSet,
				UUIDIndex: 3, RetainEvent: true, Offset: gib8 &^ 3, OffsetIndex: true,
			}, page[:512])
		}, Command{Opcode: 0x02, NSID: 2, CDW10: 0x007fff09, CDW11: 0x12340000, CDW12: 0x23456788, CDW13: 1, CDW14: 0x02800003, Data: page[:512]}},
		{"namespaces", func() error { _, err := c.ActiveNamespaces(ctx); return err },
			Command{Opcode: 0x06, CDW10: 2, Data: page}},
		{"attached controllers", func() error { _, err := c.AttachedControllers(ctx, 3, 7); return err },
			Command{Opcode: 0x06, NSID: 3, CDW10: 0x00070012, Data: page}},
		{"identify", func() error {
			_, err := c.IdentifyPage(ctx, IdentifyRequest{CNS: 0x18, SpecificID: 0x55, CommandSet: 2, UUIDIndex: 1})
			return err
		}, Command{Opcode: 0x06, CDW10: 0x18, CDW11: 0x02000055, CDW14: 1, Data: page}},

		{"firmware download", func() error { return c.FirmwareDownload(ctx, 8192, page) },
			Command{Opcode: 0x11, CDW10: 1023, CDW11: 2048, Data: page, Timeout: firmwareTimeout}},
		{"firmware commit", func() error {
			_, err := c.FirmwareCommit(ctx, FirmwareCommit{Action: ActivateNow, Slot: 5})
			return err
		}, Command{Opcode: 0x10, CDW10: 0x1d, Timeout: firmwareTimeout}},
		{"boot partition", func() error {
			_, err := c.FirmwareCommit(ctx, FirmwareCommit{Action: ActivateBootPartition, BootPartition: 1})
			return err
		}, Command{Opcode: 0x10, CDW10: 0x80000038, Timeout: firmwareTimeout}},
		{"format", func() error {
			return c.Format(ctx, FormatOptions{NSID: 1, Format: 3, ExtendedLBA: true, Protection: 2, ProtectionFirst: true, Erase: UserDataErase})
		}, Command{Opcode: 0x80, NSID: 1, CDW10: 0x353, Timeout: NoTimeout}},
		{"format 19", func() error { return c.Format(ctx, FormatOptions{NSID: BroadcastNSID, Format: 19}) },
			Command{Opcode: 0x80, NSID: math.MaxUint32, CDW10: 0x1003, Timeout: NoTimeout}},
		{"sanitize", func() error {
			return c.Sanitize(ctx, SanitizeOptions{Action: Overwrite, AllowUnrestrictedExit: true, Passes: 3, Pattern: 0xdeadbeef, InvertPattern: true, NoDeallocate: true})
		}, Command{Opcode: 0x84, CDW10: 0x33b, CDW11: 0xdeadbeef, Timeout: sanitizeTimeout}},
		{"sanitize in 16 passes", func() error { return c.Sanitize(ctx, SanitizeOptions{Action: Overwrite, Passes: 16}) },
			Command{Opcode: 0x84, CDW10: 3, Timeout: sanitizeTimeout}},
		{"sanitize in one pass", func() error { return c.Sanitize(ctx, SanitizeOptions{Action: Overwrite}) },
			Command{Opcode: 0x84, CDW10: 0x13, Timeout: sanitizeTimeout}},
		{"block erase", func() error { return c.Sanitize(ctx, SanitizeOptions{Action: BlockErase}) },
			Command{Opcode: 0x84, CDW10: 2, Timeout: sanitizeTimeout}},
		{"self-test", func() error { return c.SelfTest(ctx, BroadcastNSID, ExtendedSelfTest) },
			Command{Opcode: 0x14, NSID: math.MaxUint32, CDW10: 2, Timeout: selfTestTimeout}},
		{"delete namespace", func() error { return c.DeleteNamespace(ctx, 2) },
			Command{Opcode: 0x0d, NSID: 2, CDW10: 1, Timeout: namespaceTimeout}},
		{"attach", func() error { return c.AttachNamespace(ctx, 2, 9, 1) },
			Command{Opcode: 0x15, NSID: 2, Data: bytesOf(t, &ControllerList{1, 9}), Timeout: namespaceTimeout}},
		{"detach", func() error { return c.DetachNamespace(ctx, 2, 9) },
			Command{Opcode: 0x15, NSID: 2, CDW10: 1, Data: bytesOf(t, &ControllerList{9}), Timeout: namespaceTimeout}},
		{"security send", func() error {
			return c.SecuritySend(ctx, SecurityRequest{Protocol: 0xea, Specific: 0x1234, NVMeSpecific: 1}, page[:256])
		}, Command{Opcode: 0x81, CDW10: 0xea123401, CDW11: 256, Data: page[:256]}},
		{"security receive", func() error { return c.SecurityReceive(ctx, SecurityRequest{}, page[:512]) },
			Command{Opcode: 0x82, CDW11: 512, Data: page[:512]}},
		{"enable directive", func() error { return c.EnableDirective(ctx, 1, StreamsDirective, true) },
			Command{Opcode: 0x19, NSID: 1, CDW11: 1, CDW12: 0x101}},
		{"allocate streams", func() error { _, err := c.AllocateStreams(ctx, 1, 5); return err },
			Command{Opcode: 0x1a, NSID: 1, CDW11: 0x103, CDW12: 5}},
		{"release stream", func() error { return c.ReleaseStream(ctx, 1, 5) },
			Command{Opcode: 0x19, NSID: 1, CDW11: 0x50101}},
		{"stream parameters", func() error { _, err := c.StreamParameters(ctx, 1); return err },
			Command{Opcode: 0x1a, NSID: 1, CDW10: 7, CDW11: 0x101, Data: page[:32]}},

		{"read", func() error { return n().Read(ctx, gib8, page, opts) },
			Command{Queue: IOQueue, Opcode: 0x02, NSID: 1, CDW10: 0x23456789, CDW11: 1, CDW12: 0xf0000000, CDW13: 5, CDW14: 0xcafe, CDW15: 0xffff1122, Data: page}},
		{"write", func() error { return n().Write(ctx, gib8, make([]byte, 8192), opts) },
			Command{Queue: IOQueue, Opcode: 0x01, NSID: 1, CDW10: 0x23456789, CDW11: 1, CDW12: 0xf0100001, CDW13: 0x90005, CDW14: 0xcafe, CDW15: 0xffff1122, Data: make([]byte, 8192)}},
		{"compare", func() error { return n().Compare(ctx, 1, page, IOOptions{}) },
			Command{Queue: IOQueue, Opcode: 0x05, NSID: 1, CDW10: 1, Data: page}},
		{"write zeroes", func() error { return n().WriteZeroes(ctx, 1, 65536, true, IOOptions{}) },
			Command{Queue: IOQueue, Opcode: 0x08, NSID: 1, CDW10: 1, CDW12: 0x0200ffff}},
		{"write uncorrectable", func() error { return n().WriteUncorrectable(ctx, 1, 2) },
			Command{Queue: IOQueue, Opcode: 0x04, NSID: 1, CDW10: 1, CDW12: 1}},
		{"verify", func() error { return n().Verify(ctx, 1, 2, IOOptions{CheckStorage: true}) },
			Command{Queue: IOQueue, Opcode: 0x0c, NSID: 1, CDW10: 1, CDW12: 0x01000001}},
		{"flush", func() error { return n().Flush(ctx) },
			Command{Queue: IOQueue, Opcode: 0x00, NSID: 1}},
		{"dataset management", func() error {
			return n().DatasetManagement(ctx, Deallocate, DatasetRange{LBA: gib8, Blocks: 8}, DatasetRange{Attributes: 1, LBA: 1, Blocks: 2})
		}, Command{Queue: IOQueue, Opcode: 0x09, NSID: 1, CDW10: 1, CDW11: 4, Data: le(0, 8, 0x23456789, 1, 1, 2, 1, 0)}},
		{"copy", func() error {
			return n().Copy(ctx, 5, IOOptions{ForceUnitAccess: true}, CopySource{LBA: gib8, Blocks: 100, ReferenceTag: 7, ApplicationTag: 8, ApplicationMask: 9}, CopySource{LBA: 2, Blocks: 50})
		}, Command{Queue: IOQueue, Opcode: 0x19, NSID: 1, CDW10: 5, CDW12: 0x40000001,
			Data: le(0, 0, 0x23456789, 1, 99, 0, 7, 0x00090008, 0, 0, 2, 0, 49, 0, 0, 0)}},
		{"LBA status", func() error { _, err := n().LBAStatus(ctx, gib8, 100, TrackedLBAs, 2); return err },
			Command{Opcode: 0x86, NSID: 1, CDW10: 0x23456789, CDW11: 1, CDW12: 9, CDW13: 0x11000064, Data: make([]byte, 40)}},
		{"reservation register", func() error {
			return n().RegisterReservation(ctx, ReservationRegister{Action: ReplaceKey, Key: 1, NewKey: gib8, IgnoreKey: true, Persist: PersistOn})
		}, Command{Queue: IOQueue, Opcode: 0x0d, NSID: 1, CDW10: 0xc000000a, Data: le(1, 0, 0x23456789, 1)}},
		{"reservation acquire", func() error {
			return n().AcquireReservation(ctx, ReservationAcquire{Action: PreemptReservation, Type: ExclusiveAccess, Key: 1, PreemptKey: 2})
		}, Command{Queue: IOQueue, Opcode: 0x11, NSID: 1, CDW10: 0x201, Data: le(1, 0, 2, 0)}},
		{"reservation release", func() error {
			return n().ReleaseReservation(ctx, ReservationRelease{Type: WriteExclusive, Key: 1})
		}, Command{Queue: IOQueue, Opcode: 0x15, NSID: 1, CDW10: 0x100, Data: le(1, 0)}},
		{"reservation report", func() error { _, err := n().Reservations(ctx); return err },
			Command{Queue: IOQueue, Opcode: 0x0e, NSID: 1, CDW10: 1023, CDW11: 1, Data: page}},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.NoError(t, test.call())
			require.Equal(t, test.want, d.last(t))
		})
	}
}

// What could not be right is refused, by the name of the field, before anything
// is sent.
func TestCommandsRefuse(t *testing.T) {
	d := newFakeDrive()
	c := NewController(d)
	ctx := t.Context()
	n, err := c.Namespace(ctx, 1)
	require.NoError(t, err)
	block := make([]byte, 4096)
	for _, test := range []struct {
		name  string
		field string
		call  func() error
	}{
		{"identify nsid 0", "NSID", func() error { _, err := c.IdentifyNamespace(ctx, 0); return err }},
		{"descriptors of all", "NSID", func() error { _, err := c.NamespaceDescriptors(ctx, BroadcastNSID); return err }},
		{"UUID index", "UUIDIndex", func() error { _, err := c.IdentifyPage(ctx, IdentifyRequest{UUIDIndex: 128}); return err }},
		// Defect 9: a length that is not whole dwords was cut in silence.
		{"log of 5 bytes", "length of data", func() error { return c.LogPage(ctx, LogPageRequest{}, make([]byte, 5)) }},
		{"empty log", "length of data", func() error { return c.LogPage(ctx, LogPageRequest{}, []byte{}) }},
		{"LSP of 8 bits", "Parameter", func() error { return c.LogPage(ctx, LogPageRequest{Parameter: 0x80}, block) }},
		{"log offset", "Offset", func() error { return c.LogPage(ctx, LogPageRequest{Offset: 6}, block) }},
		{"long log by index", "length of data", func() error {
			return c.LogPage(ctx, LogPageRequest{OffsetIndex: true}, make([]byte, 1<<20))
		}},
		{"error log of 0", "number of entries", func() error { _, err := c.ErrorLog(ctx, 0); return err }},
		{"telemetry area", "Area", func() error { _, err := c.Telemetry(ctx, TelemetryOptions{Area: 5}); return err }},

		{"no firmware", "length of data", func() error { return c.FirmwareDownload(ctx, 0, nil) }},
		{"firmware offset", "offset", func() error { return c.FirmwareDownload(ctx, 2, block) }},
		{"firmware above MDTS", "length of data", func() error { return c.FirmwareDownload(ctx, 0, make([]byte, 16388)) }},
		{"slot 8", "Slot", func() error { _, err := c.FirmwareCommit(ctx, FirmwareCommit{Slot: 8}); return err }},
		{"activate no slot", "Slot", func() error {
			_, err := c.FirmwareCommit(ctx, FirmwareCommit{Action: ActivateAtReset})
			return err
		}},
		{"commit action 4", "Action", func() error { _, err := c.FirmwareCommit(ctx, FirmwareCommit{Action: 4}); return err }},

		{"format nsid 0", "NSID", func() error { return c.Format(ctx, FormatOptions{}) }},
		// Defect 3: the index was masked.
		{"format 20", "Format", func() error { return c.Format(ctx, FormatOptions{NSID: 1, Format: 20}) }},
		{"format not available", "Format", func() error { return c.Format(ctx, FormatOptions{NSID: 1, Format: 7}) }},
		{"format -1", "Format", func() error { return c.Format(ctx, FormatOptions{NSID: 1, Format: -1}) }},
		{"crypto erase", "Erase", func() error { return c.Format(ctx, FormatOptions{NSID: 1, Erase: CryptographicErase}) }},
		{"protection 4", "Protection", func() error { return c.Format(ctx, FormatOptions{NSID: 1, Format: 1, Protection: 4}) }},
		{"protection without metadata", "Protection", func() error { return c.Format(ctx, FormatOptions{NSID: 1, Protection: 1}) }},

		{"no sanitize action", "Action", func() error { return c.Sanitize(ctx, SanitizeOptions{}) }},
		{"17 passes", "Passes", func() error { return c.Sanitize(ctx, SanitizeOptions{Action: Overwrite, Passes: 17}) }},
		{"passes of a block erase", "Passes, Pattern and InvertPattern", func() error {
			return c.Sanitize(ctx, SanitizeOptions{Action: BlockErase, Passes: 2})
		}},
		{"self-test 3", "test", func() error { return c.SelfTest(ctx, 1, 3) }},
		{"namespace of no size", "Size", func() error { _, err := c.CreateNamespace(ctx, NamespaceOptions{}); return err }},
		{"delete nsid 0", "NSID", func() error { return c.DeleteNamespace(ctx, 0) }},
		{"attach to none", "controllers", func() error { return c.AttachNamespace(ctx, 1) }},
		{"attach twice", "controllers", func() error { return c.AttachNamespace(ctx, 1, 2, 2) }},
		{"attach all", "NSID", func() error { return c.AttachNamespace(ctx, BroadcastNSID, 2) }},
		{"no security data", "length of data", func() error { return c.SecuritySend(ctx, SecurityRequest{}, nil) }},

		{"power state", "State of power management", func() error { return c.WriteFeature(ctx, &PowerManagement{State: 32}, FeatureOptions{}) }},
		{"feature's nsid", "NSID", func() error { return c.ReadFeature(ctx, new(ErrorRecovery), FeatureOptions{}) }},
		{"sensor", "Sensor of temperature threshold", func() error {
			return c.ReadFeature(ctx, &TemperatureThreshold{Sensor: 16}, FeatureOptions{})
		}},
		{"save a read", "Save", func() error { return c.ReadFeature(ctx, new(KeepAlive), FeatureOptions{Save: true}) }},
		{"set the default", "Select", func() error {
			return c.WriteFeature(ctx, new(KeepAlive), FeatureOptions{Select: DefaultValue})
		}},
		{"keep alive", "keep alive timeout", func() error { return c.WriteFeature(ctx, &KeepAlive{Timeout: 1}, FeatureOptions{}) }},
		{"no queues", "number of queues", func() error { return c.WriteFeature(ctx, &NumberOfQueues{}, FeatureOptions{}) }},

		{"part of a block", "length of data", func() error { return n.Read(ctx, 0, block[:512], IOOptions{}) }},
		{"read above MDTS", "length of data", func() error { return n.Read(ctx, 0, make([]byte, 5*4096), IOOptions{}) }},
		{"past the end", "LBA", func() error { return n.Read(ctx, 1<<33, block, IOOptions{}) }},
		{"across the end", "number of blocks", func() error { return n.Read(ctx, 1<<33-1, make([]byte, 8192), IOOptions{}) }},
		{"metadata of none", "length of Metadata", func() error { return n.Read(ctx, 0, block, IOOptions{Metadata: block}) }},
		{"65537 blocks", "number of blocks", func() error { return n.Verify(ctx, 0, 65537, IOOptions{}) }},
		{"no blocks", "number of blocks", func() error { return n.Verify(ctx, 0, 0, IOOptions{}) }},
		{"no ranges", "number of ranges", func() error { return n.DatasetManagement(ctx, Deallocate) }},
		{"range past the end", "range", func() error { return n.DatasetManagement(ctx, Deallocate, DatasetRange{LBA: 1 << 33, Blocks: 1}) }},
		{"three sources", "number of sources", func() error { return n.Copy(ctx, 0, IOOptions{}, CopySource{}, CopySource{}, CopySource{}) }},
		{"long source", "number of blocks of a source", func() error { return n.Copy(ctx, 0, IOOptions{}, CopySource{Blocks: 101}) }},
		{"long copy", "number of blocks", func() error { return n.Copy(ctx, 0, IOOptions{}, CopySource{Blocks: 100}, CopySource{Blocks: 51}) }},
		{"reservation type", "Type", func() error { return n.AcquireReservation(ctx, ReservationAcquire{}) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var bad *ArgumentError
			err := test.call()
			require.ErrorAs(t, err, &bad)
			require.Equal(t, test.field, bad.Field)
			require.ErrorIs(t, err, os.ErrInvalid)
			require.Empty(t, d.commands)
		})
	}
}

// A namespace of 4096+8 bytes: metadata in a buffer of its own, or at the end of
// each block.
func TestMetadata(t *testing.T) {
	d := newFakeDrive()
	d.namespace.FormattedLBASize = 1
	ctx := t.Context()
	n, err := NewController(d).Namespace(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, 4096, n.BlockBytes())
	require.NoError(t, n.Write(ctx, 0, make([]byte, 8192), IOOptions{Metadata: make([]byte, 16)}))
	require.Len(t, d.last(t).Metadata, 16)
	require.ErrorIs(t, n.Write(ctx, 0, make([]byte, 8192), IOOptions{}), os.ErrInvalid)

	d.namespace.FormattedLBASize = 1 | 1<<4
	n, err = NewController(d).Namespace(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, 4104, n.BlockBytes())
	require.NoError(t, n.Write(ctx, 0, make([]byte, 8208), IOOptions{}))
	require.Equal(t, uint32(1), d.last(t).CDW12)
}

// After what may change a block size, a namespace is of no use.
func TestNamespaceGoesStale(t *testing.T) {
	d := newFakeDrive()
	c := NewController(d)
	ctx := t.Context()
	for name, change := range map[string]func() error{
		"format": func() error { return c.Format(ctx, FormatOptions{NSID: 1}) },
		"reset":  func() error { return c.Reset(ctx) },
		"delete": func() error { return c.DeleteNamespace(ctx, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			n, err := c.Namespace(ctx, 1)
			require.NoError(t, err)
			require.NoError(t, n.Read(ctx, 0, make([]byte, 4096), IOOptions{}))
			require.NoError(t, change())
			require.ErrorIs(t, n.Read(ctx, 0, make([]byte, 4096), IOOptions{}), ErrStale)
		})
	}
	require.Equal(t, []Operation{ResetController}, d.operations)
}

// Defect 6: DW0 is the NSID that was made.
func TestCreateNamespace(t *testing.T) {
	d := newFakeDrive()
	d.answer = func(Command) (Completion, error) { return Completion{Result: 7}, nil }
	nsid, err := NewController(d).CreateNamespace(t.Context(), NamespaceOptions{
		Size: 0x1000, FormattedLBASize: 0x23, Protection: 9, Shared: true, ANAGroupID: 5, NVMSetID: 6, EnduranceGroupID: 7, CommandSet: ZonedCommandSet,
	})
	require.NoError(t, err)
	require.Equal(t, uint32(7), nsid)
	cmd := d.last(t)
	var sent IdentifyNamespace
	require.NoError(t, Decode(cmd.Data, &sent))
	require.Equal(t, IdentifyNamespace{
		Size: 0x1000, Capacity: 0x1000, FormattedLBASize: 0x23, Protection: 9, MultiPath: 1, ANAGroupID: 5, NVMSetID: 6, EnduranceGroupID: 7,
	}, sent)
	cmd.Data = nil
	require.Equal(t, Command{Opcode: 0x0d, CDW11: 0x02000000, Timeout: namespaceTimeout}, cmd)
}

// Defect 1: NUMD is 0's based. Each part of a long log is at most MDTS, and the
// event is retained until the last.
func TestLogPageInParts(t *testing.T) {
	d := newFakeDrive() // MDTS is 16 KiB
	c := NewController(d)
	require.NoError(t, c.LogPage(t.Context(), LogPageRequest{ID: LogTelemetryController, Offset: 512}, make([]byte, 40000)))
	var got [][4]uint32
	for _, cmd := range d.commands {
		got = append(got, [4]uint32{uint32(len(cmd.Data)), cmd.CDW10, cmd.CDW11, cmd.CDW12})
	}
	require.Equal(t, [][4]uint32{
		{16384, 0x0fff8008, 0, 512},
		{16384, 0x0fff8008, 0, 512 + 16384},
		{7232, 1807<<16 | 0x0008, 0, 512 + 32768},
	}, got)

	d.controller.LogPages = 0
	err := NewController(d).LogPage(t.Context(), LogPageRequest{ID: LogErrors}, make([]byte, 4100))
	require.ErrorContains(t, err, "no extended data")
}

// Defect 2, and the peers' loss of a positive status: what the drive answers is
// an error, with everything in it.
func TestCommandError(t *testing.T) {
	d := newFakeDrive()
	d.answer = func(Command) (Completion, error) { return Completion{Result: 0x1234, Status: 0x6801 | 0x0106}, nil }
	c := NewController(d)
	_, err := c.SMARTLog(t.Context())
	var bad *CommandError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, &CommandError{Opcode: AdminGetLogPage, NSID: BroadcastNSID, Status: 0x6907, Result: 0x1234}, bad)
	require.ErrorIs(t, err, StatusInvalidFirmwareImage)
	require.NotErrorIs(t, err, StatusInvalidField)
	require.True(t, bad.Status.More())
	require.True(t, bad.Status.DNR())
	require.Equal(t, 1, bad.Status.CRD())
	require.EqualError(t, err, "nvme: get log page on nsid all: invalid firmware image (SCT 1h, SC 07h, CRD 1, more in the error log, do not retry)")
	result, err := c.Do(t.Context(), Command{Opcode: AdminSanitize})
	require.Error(t, err)
	require.Equal(t, uint64(0x1234), result)
}

// Firmware commit's three statuses that ask for a reset are no errors; the rest is.
func TestFirmwareCommitResult(t *testing.T) {
	d := newFakeDrive()
	c := NewController(d)
	for status, needs := range map[Status]FirmwareReset{
		0: NoReset, 0x10b: ConventionalReset, 0x4110: SubsystemReset, 0x111: AnyControllerReset,
	} {
		d.answer = func(Command) (Completion, error) { return Completion{Result: 1, Status: status}, nil }
		r, err := c.FirmwareCommit(t.Context(), FirmwareCommit{Slot: 1})
		require.NoError(t, err)
		require.Equal(t, FirmwareCommitResult{Status: status, Needs: needs, Overlap: true}, r)
	}
	for _, status := range []Status{0x4106, 0x4107, 0x112, 0x113, 0x114, 0x6} {
		d.answer = func(Command) (Completion, error) { return Completion{Status: status}, nil }
		_, err := c.FirmwareCommit(t.Context(), FirmwareCommit{Slot: 1})
		require.ErrorIs(t, err, status)
	}
}

// A format of all namespaces is checked against what one of them offers, if
// the drive does not tell what they have in common.
func TestFormatUnsupported(t *testing.T) {
	d := newFakeDrive()
	d.controller.FormatAttributes = NoBroadcastFormat
	c := NewController(d)
	require.ErrorIs(t, c.Format(t.Context(), FormatOptions{NSID: BroadcastNSID}), os.ErrInvalid)
	d.controller.AdminCommands = 0
	require.ErrorContains(t, c.Format(t.Context(), FormatOptions{NSID: 1}), "not among the drive's commands")
	require.Empty(t, d.commands)
}

// Defect 7: a format is not given the kernel's default of a minute, and a
// deadline of the context stands above the format's own timeout.
func TestFormatTimeout(t *testing.T) {
	d := newFakeDrive()
	require.NoError(t, NewController(d).Format(t.Context(), FormatOptions{NSID: 1}))
	cmd := d.last(t)
	ms, err := cmd.TimeoutIn(context.Background())
	require.NoError(t, err)
	require.Equal(t, uint32(math.MaxUint32), ms)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	ms, err = cmd.TimeoutIn(ctx)
	require.NoError(t, err)
	require.InDelta(t, 3600_000, ms, 60_000)
}
