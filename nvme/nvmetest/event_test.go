package nvmetest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

var asyncEvent = nvme.Command{Opcode: nvme.AdminAsyncEvent}

func TestEventsAreToldOnceUntilTheLogIsRead(t *testing.T) {
	ctx := t.Context()
	d := newDrive(t, nvmetest.Enterprise())
	c := nvme.NewController(d)
	d.SetTemperature(400)
	require.Empty(t, d.Controller(1).Events(), "not enabled")
	d.SetTemperature(300)
	events := nvme.AsyncEvents(uint32(nvme.WarnTemperature) | 1<<8 | 1<<9)
	require.NoError(t, c.WriteFeature(ctx, &events, nvme.FeatureOptions{}))

	d.SetTemperature(400)
	d.SetTemperature(300)
	d.SetTemperature(400)
	require.Equal(t, []nvmetest.Event{nvmetest.EventTemperature}, d.Controller(1).Events())
	s, result := submit(t, d, asyncEvent)
	require.Equal(t, nvme.StatusSuccess, s)
	require.Equal(t, uint64(0x00020101), result)

	d.SetTemperature(300)
	d.SetTemperature(400)
	require.Empty(t, d.Controller(1).Events(), "masked")
	page := make([]byte, 512)
	require.NoError(t, c.LogPage(ctx, nvme.LogPageRequest{ID: nvme.LogSMART, RetainEvent: true}, page))
	d.SetTemperature(300)
	d.SetTemperature(400)
	require.Empty(t, d.Controller(1).Events(), "still masked by RAE")
	smart, err := c.SMARTLog(ctx)
	require.NoError(t, err)
	require.Equal(t, nvme.WarnTemperature, smart.CriticalWarning)
	d.SetTemperature(300)
	d.SetTemperature(400)
	require.Len(t, d.Controller(1).Events(), 1)
}

func TestEventRequestWaits(t *testing.T) {
	d := newDrive(t, nvmetest.Enterprise())
	d.PowerOff()
	d.PowerOn() // the request may come before the controller is ready
	results := make(chan uint64)
	go func() {
		done, _ := d.Submit(t.Context(), asyncEvent)
		results <- done.Result
	}()
	c := nvme.NewController(d)
	require.NoError(t, c.Sanitize(t.Context(), nvme.SanitizeOptions{Action: nvme.CryptoEraseMedia}))
	d.Advance(time.Minute) // however much of it passes, the request does not expire
	require.Equal(t, uint64(nvmetest.EventSanitizeCompleted), <-results)
}

func TestEventRequestsAreLimited(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := newDrive(t, nvmetest.Enterprise()) // which takes 8
	failed := make(chan nvme.Status, 9)
	errs := make(chan error, 9)
	for range 9 {
		go func() {
			done, err := d.Submit(ctx, asyncEvent)
			if err != nil {
				errs <- err
				return
			}
			failed <- done.Status.Code()
		}()
	}
	require.Equal(t, nvme.StatusAsyncEventLimit, <-failed)
	cancel()
	for range 8 {
		require.ErrorIs(t, <-errs, context.Canceled)
	}
	entries, _ := d.Journal()
	for _, e := range entries {
		require.Empty(t, e.Happened, "to cancel one resets nothing")
	}
}

func TestNamespaceManagement(t *testing.T) {
	ctx := t.Context()
	d := newDrive(t, nvmetest.Enterprise())
	c, other := nvme.NewController(d), nvme.NewController(d.Controller(2))
	events := nvme.AsyncEvents(1 << 8)
	require.NoError(t, other.WriteFeature(ctx, &events, nvme.FeatureOptions{}))
	before, err := c.Identify(ctx)
	require.NoError(t, err)

	nsid, err := c.CreateNamespace(ctx, nvme.NamespaceOptions{Size: 1000, FormattedLBASize: 5})
	require.NoError(t, err)
	require.Equal(t, uint32(3), nsid)
	after, err := c.Identify(ctx)
	require.NoError(t, err)
	require.Equal(t, before.UnallocatedCapacity.Lo-1000*4096, after.UnallocatedCapacity.Lo)
	allocated, err := c.AllocatedNamespaces(ctx)
	require.NoError(t, err)
	active, err := c.ActiveNamespaces(ctx)
	require.NoError(t, err)
	require.Equal(t, [2]nvme.NamespaceList{{1, 2, 3}, {1, 2}}, [2]nvme.NamespaceList{allocated, active})

	require.ErrorIs(t, c.DetachNamespace(ctx, 3, 1), nvme.StatusNotAttached)
	require.ErrorIs(t, c.AttachNamespace(ctx, 3, 1, 2), nvme.StatusNamespacePrivate)
	require.ErrorIs(t, c.AttachNamespace(ctx, 3, 9), nvme.StatusInvalidControllerList)
	require.NoError(t, c.AttachNamespace(ctx, 3, 2))
	require.ErrorIs(t, c.AttachNamespace(ctx, 3, 2), nvme.StatusAlreadyAttached)
	require.Equal(t, []nvmetest.Event{nvmetest.EventNamespaceChanged}, d.Controller(2).Events())
	changed, all, err := other.ChangedNamespaces(ctx)
	require.NoError(t, err)
	require.False(t, all)
	require.Equal(t, nvme.NamespaceList{3}, changed)
	changed, _, err = other.ChangedNamespaces(ctx)
	require.NoError(t, err)
	require.Empty(t, changed, "reading has cleared it")
	ids, err := c.AttachedControllers(ctx, 3, 0)
	require.NoError(t, err)
	require.Equal(t, nvme.ControllerList{2}, ids)

	require.NoError(t, c.DeleteNamespace(ctx, 3))
	require.ErrorIs(t, c.DeleteNamespace(ctx, 3), nvme.StatusInvalidField)
	for want, o := range map[nvme.Status]nvme.NamespaceOptions{
		nvme.StatusInsufficientCapacity:        {Size: 1 << 40},
		nvme.StatusInvalidFormat:               {Size: 8, FormattedLBASize: 15},
		nvme.StatusThinProvisioningUnsupported: {Size: 8, Capacity: 4},
		nvme.StatusCommandSetUnsupported:       {Size: 8, CommandSet: nvme.ZonedCommandSet},
		nvme.StatusInvalidField:                {Size: 8, NVMSetID: 7},
	} {
		_, err := c.CreateNamespace(ctx, o)
		require.ErrorIs(t, err, want)
	}
	for range 30 {
		_, err = c.CreateNamespace(ctx, nvme.NamespaceOptions{Size: 8})
		require.NoError(t, err)
	}
	_, err = c.CreateNamespace(ctx, nvme.NamespaceOptions{Size: 8})
	require.ErrorIs(t, err, nvme.StatusNamespaceIDUnavailable)
	require.NoError(t, c.DeleteNamespace(ctx, nvme.BroadcastNSID))
	allocated, err = c.AllocatedNamespaces(ctx)
	require.NoError(t, err)
	require.Empty(t, allocated)
}

// TestEventsByHand raises what a drive has no reason of its own for.
func TestEventsByHand(t *testing.T) {
	for name, tc := range map[string]struct {
		raise   func(d *nvmetest.Drive)
		want    nvmetest.Event
		warning nvme.CriticalWarning
	}{
		"reliability": {func(d *nvmetest.Drive) { d.SetWarning(nvme.WarnReliability) }, nvmetest.EventReliability, nvme.WarnReliability},
		"read-only":   {func(d *nvmetest.Drive) { d.SetWarning(nvme.WarnReadOnly) }, nvmetest.EventReliability, nvme.WarnReadOnly},
		"spare":       {func(d *nvmetest.Drive) { d.SetSpare(9, 120) }, nvmetest.EventSpare, nvme.WarnSpare},
		"telemetry":   {func(d *nvmetest.Drive) { d.CaptureTelemetry() }, nvmetest.EventTelemetryChanged, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDrive(t, nvmetest.Consumer())
			c := nvme.NewController(d)
			all := nvme.AsyncEvents(0x7ff)
			require.NoError(t, c.WriteFeature(t.Context(), &all, nvme.FeatureOptions{}))
			for range 2 {
				tc.raise(d)
			}
			require.Equal(t, []nvmetest.Event{tc.want}, d.Controller(1).Events(), "told once")
			log, err := c.SMARTLog(t.Context())
			require.NoError(t, err)
			require.Equal(t, tc.warning, log.CriticalWarning)
		})
	}
}

func TestReservations(t *testing.T) {
	ctx := t.Context()
	d := newDrive(t, nvmetest.Enterprise())
	hosts := make([]*nvme.Namespace, 2)
	for i := range hosts {
		c := nvme.NewController(d.Controller(uint16(i + 1)))
		require.NoError(t, c.WriteFeature(ctx, &nvme.HostID{ID128: [16]byte{byte(i + 1)}, Extended: true}, nvme.FeatureOptions{}))
		var err error
		hosts[i], err = c.Namespace(ctx, 1)
		require.NoError(t, err)
	}
	mine, theirs := hosts[0], hosts[1]
	data := make([]byte, 512)
	require.NoError(t, mine.RegisterReservation(ctx, nvme.ReservationRegister{NewKey: 0x1111}))
	require.ErrorIs(t, mine.AcquireReservation(ctx, nvme.ReservationAcquire{Type: nvme.WriteExclusive, Key: 1}), nvme.StatusReservationConflict)
	require.NoError(t, mine.AcquireReservation(ctx, nvme.ReservationAcquire{Type: nvme.WriteExclusive, Key: 0x1111}))
	require.NoError(t, mine.Write(ctx, 0, data, nvme.IOOptions{}))
	require.NoError(t, theirs.Read(ctx, 0, data, nvme.IOOptions{}))
	require.ErrorIs(t, theirs.Write(ctx, 0, data, nvme.IOOptions{}), nvme.StatusReservationConflict)

	require.NoError(t, theirs.RegisterReservation(ctx, nvme.ReservationRegister{NewKey: 0x2222}))
	require.ErrorIs(t, theirs.Write(ctx, 0, data, nvme.IOOptions{}), nvme.StatusReservationConflict)
	require.NoError(t, theirs.AcquireReservation(ctx, nvme.ReservationAcquire{Action: nvme.PreemptReservation,
		Type: nvme.ExclusiveAccess, Key: 0x2222, PreemptKey: 0x1111}))
	require.ErrorIs(t, mine.Read(ctx, 0, data, nvme.IOOptions{}), nvme.StatusReservationConflict)
	status, err := mine.Reservations(ctx)
	require.NoError(t, err)
	require.Equal(t, &nvme.ReservationStatus{Generation: 3, Type: nvme.ExclusiveAccess,
		Registrants: []nvme.Registrant{{ControllerID: 2, Holder: true, Key: 0x2222, HostID: [16]byte{2}}}}, status)
	notice, err := mine.Controller().ReservationNotification(ctx)
	require.NoError(t, err)
	require.Equal(t, &nvme.ReservationNotification{Count: 1, Type: 1, Available: 1, NSID: 1}, notice)

	require.NoError(t, theirs.ReleaseReservation(ctx, nvme.ReservationRelease{Type: nvme.ExclusiveAccess, Key: 0x2222}))
	require.NoError(t, mine.Read(ctx, 0, data, nvme.IOOptions{}))
	d.Reset(nvmetest.PowerCycle)
	status, err = mine.Reservations(ctx)
	require.NoError(t, err)
	require.Empty(t, status.Registrants, "nothing persists through the loss of power")
}

func TestProtectionInformation(t *testing.T) {
	ctx := t.Context()
	for name, test := range map[string]struct{ first, extended bool }{
		"last, separate": {false, false}, "first, extended": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDrive(t, nvmetest.Enterprise())
			c := nvme.NewController(d)
			require.NoError(t, c.Format(ctx, nvme.FormatOptions{NSID: 1, Format: 1, Protection: 1, ProtectionFirst: test.first, ExtendedLBA: test.extended}))
			ns, err := c.Namespace(ctx, 1)
			require.NoError(t, err)
			// The drive makes the information, and strips it.
			made := nvme.IOOptions{Protect: nvme.ProtectionAction | nvme.CheckGuard | nvme.CheckReferenceTag, ReferenceTag: 5}
			cmd := nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, NSID: 1, CDW10: 5, CDW12: 1 | 13<<26, CDW14: 5, Data: make([]byte, 1024)}
			cmd.Data[0] = 1
			s, _ := submit(t, d, cmd)
			require.Equal(t, nvme.StatusSuccess, s)
			clear(cmd.Data)
			cmd.Opcode = nvme.IORead
			s, _ = submit(t, d, cmd)
			require.Equal(t, nvme.StatusSuccess, s)
			require.Equal(t, byte(1), cmd.Data[0])
			require.NoError(t, ns.Verify(ctx, 5, 2, made))
			made.ReferenceTag = 6
			require.ErrorIs(t, ns.Verify(ctx, 5, 1, made), nvme.StatusRefTagCheck)
			// A host that gives wrong information is refused.
			host := nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IOWrite, NSID: 1, CDW10: 5, CDW12: 4 << 26, Data: make([]byte, 512), Metadata: make([]byte, 8)}
			if test.extended {
				host.Data, host.Metadata = make([]byte, 520), nil
			}
			host.Data[9] = 1
			s, _ = submit(t, d, host)
			require.Equal(t, nvme.StatusGuardCheck, s)
			host.CDW12, host.CDW14 = 1<<26, 6
			s, _ = submit(t, d, host)
			require.Equal(t, nvme.StatusInvalidProtection, s, "type 1 wants the LBA for a tag")
		})
	}
}

func TestUnreadableAndUnwrittenBlocks(t *testing.T) {
	ctx := t.Context()
	d := newDrive(t, nvmetest.Enterprise())
	c := nvme.NewController(d)
	ns, err := c.Namespace(ctx, 1)
	require.NoError(t, err)
	data := make([]byte, 4096)
	require.NoError(t, ns.WriteUncorrectable(ctx, 3, 2))
	require.ErrorIs(t, ns.Read(ctx, 0, data, nvme.IOOptions{}), nvme.StatusUnrecoveredRead)
	status, err := ns.LBAStatus(ctx, 0, 0, nvme.LBAStatusAction(0x11), 4)
	require.NoError(t, err)
	require.Len(t, status.Ranges, 1)
	require.NoError(t, ns.Write(ctx, 0, data, nvme.IOOptions{}))
	require.NoError(t, ns.Read(ctx, 0, data, nvme.IOOptions{}))

	require.NoError(t, ns.Read(ctx, 100, data, nvme.IOOptions{}), "never written")
	require.NoError(t, c.WriteFeature(ctx, &nvme.ErrorRecovery{DeallocatedError: true}, nvme.FeatureOptions{NSID: 1}))
	require.ErrorIs(t, ns.Read(ctx, 100, data, nvme.IOOptions{}), nvme.StatusUnwritten)
	require.NoError(t, ns.WriteZeroes(ctx, 100, 8, false, nvme.IOOptions{}))
	require.NoError(t, ns.Read(ctx, 100, data, nvme.IOOptions{}))
	require.NoError(t, ns.DatasetManagement(ctx, nvme.Deallocate, nvme.DatasetRange{LBA: 104, Blocks: 1}))
	require.ErrorIs(t, ns.Read(ctx, 100, data, nvme.IOOptions{}), nvme.StatusUnwritten)
}

func TestSavedFeaturesOutliveResets(t *testing.T) {
	ctx := t.Context()
	d := newDrive(t, nvmetest.Consumer())
	c := nvme.NewController(d)
	state := func() uint8 {
		var p nvme.PowerManagement
		require.NoError(t, c.ReadFeature(ctx, &p, nvme.FeatureOptions{}))
		return p.State
	}
	require.NoError(t, c.WriteFeature(ctx, &nvme.PowerManagement{State: 1}, nvme.FeatureOptions{Save: true}))
	require.NoError(t, c.WriteFeature(ctx, &nvme.PowerManagement{State: 2}, nvme.FeatureOptions{}))
	require.Equal(t, uint8(2), state())
	d.Reset(nvmetest.ControllerReset)
	require.Equal(t, uint8(1), state())
	d.Reset(nvmetest.PowerCycle)
	require.Equal(t, uint8(1), state())

	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	stamp := nvme.TimestampOf(now)
	require.NoError(t, c.WriteFeature(ctx, &stamp, nvme.FeatureOptions{}))
	d.Advance(time.Hour)
	require.NoError(t, c.ReadFeature(ctx, &stamp, nvme.FeatureOptions{}))
	require.Equal(t, now.Add(time.Hour), stamp.Time())
	require.True(t, stamp.SetByHost())
}

func TestLongLogs(t *testing.T) {
	ctx := t.Context()
	d := newDrive(t, nvmetest.Enterprise())
	c := nvme.NewController(d)
	telemetry, err := c.Telemetry(ctx, nvme.TelemetryOptions{})
	require.NoError(t, err)
	require.Equal(t, uint8(1), telemetry.Header.HostGeneration)
	require.NoError(t, c.SelfTest(ctx, 0, nvme.ShortSelfTest))
	require.NoError(t, c.Sanitize(ctx, nvme.SanitizeOptions{Action: nvme.BlockErase}))
	d.Advance(time.Hour)
	d.Reset(nvmetest.PowerCycle)
	log, err := c.PersistentEventLog(ctx)
	require.NoError(t, err)
	var types []nvme.EventType
	for _, e := range log.Events {
		detail, err := e.Detail()
		require.NoError(t, err)
		require.NotNil(t, detail)
		types = append(types, e.Type)
	}
	require.Equal(t, []nvme.EventType{nvme.EventPowerOnOrReset, nvme.EventSanitizeCompletion, nvme.EventSanitizeStart}, types)
	_, err = c.PersistentEventLog(ctx)
	require.NoError(t, err, "the reporting context was released")
}
