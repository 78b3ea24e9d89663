package nvme

import (
	"bytes"
	"encoding/binary"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each feature is set, and what was sent is given back on a read: the value is
// the same again.
func TestFeatures(t *testing.T) {
	writeProtect := WriteProtectedUntilPower
	events := NotifyNamespaceAttributes | NotifyFirmwareActivation | AsyncEvents(WarnSpare)
	apst := &AutonomousPowerStates{Enabled: true}
	apst.Transitions[0] = AutonomousTransition{State: 3, Idle: 100 * time.Millisecond}
	apst.Transitions[31] = AutonomousTransition{State: 31, Idle: (1<<24 - 1) * time.Millisecond}
	apstData := make([]byte, 256)
	binary.LittleEndian.PutUint64(apstData, 3<<3|100<<8)
	binary.LittleEndian.PutUint64(apstData[248:], 31<<3|(1<<24-1)<<8)
	hostBehavior := make([]byte, 512)
	hostBehavior[0], hostBehavior[2] = 1, 1

	for _, c := range []struct {
		feature  Feature
		id       FeatureID
		query    uint32 // CDW11 of Get Features
		value    [5]uint32
		data     []byte
		dw0      uint32
		reported []byte // data of Get Features
	}{
		{feature: &Arbitration{3, 1, 2, 255}, id: 0x01, value: [5]uint32{0xff020103}},
		{feature: &PowerManagement{State: 31, Workload: 2}, id: 0x02, value: [5]uint32{0x5f}},
		{feature: &TemperatureThreshold{Sensor: 2, Under: true, Threshold: 343}, id: 0x04, query: 0x120000, value: [5]uint32{0x120157}, dw0: 0x157},
		{feature: &ErrorRecovery{Limit: 70, DeallocatedError: true}, id: 0x05, value: [5]uint32{0x10046}},
		{feature: &VolatileWriteCache{Enabled: true}, id: 0x06, value: [5]uint32{1}},
		{feature: &NumberOfQueues{Submission: 1, Completion: 65535}, id: 0x07, value: [5]uint32{0xfffe0000}},
		{feature: &InterruptCoalescing{Threshold: 7, Time: 9}, id: 0x08, value: [5]uint32{0x907}},
		{feature: &InterruptVector{Vector: 5, CoalescingDisable: true}, id: 0x09, query: 5, value: [5]uint32{0x10005}},
		{feature: &WriteAtomicity{NormalDisable: true}, id: 0x0a, value: [5]uint32{1}},
		{feature: &events, id: 0x0b, value: [5]uint32{0x301}},
		{feature: apst, id: 0x0c, value: [5]uint32{1}, data: apstData},
		{feature: &HostMemoryBuffer{Enabled: true, Size: 64, Descriptors: 0x1_0000_0010, Count: 3}, id: 0x0d,
			value: [5]uint32{1, 64, 0x10, 1, 3}, reported: append([]byte{64, 0, 0, 0, 0x10, 0, 0, 0, 1, 0, 0, 0, 3}, make([]byte, 4083)...)},
		{feature: &Timestamp{Milliseconds: 0x0102_0304_0506}, id: 0x0e, data: []byte{6, 5, 4, 3, 2, 1, 0, 0}},
		{feature: &KeepAlive{Timeout: 5 * time.Second}, id: 0x0f, value: [5]uint32{5000}},
		{feature: &ThermalManagement{First: 340, Second: 350}, id: 0x10, value: [5]uint32{340<<16 | 350}},
		{feature: &NonOperationalPower{Permissive: true}, id: 0x11, value: [5]uint32{1}},
		{feature: &ReadRecoveryLevel{NVMSet: 2, Level: 15}, id: 0x12, query: 2, value: [5]uint32{2, 15}, dw0: 15},
		{feature: &HostBehavior{AdvancedCommandRetry: true, ExtendedLBAFormats: true}, id: 0x16, data: hostBehavior},
		{feature: &SanitizeConfig{NoDeallocWarns: true}, id: 0x17, value: [5]uint32{1}},
		{feature: &EnduranceEvents{Group: 3, Warnings: WarnSpare | WarnReadOnly}, id: 0x18, query: 3, value: [5]uint32{0x90003}},
		{feature: &CommandSetProfile{Index: 511}, id: 0x19, value: [5]uint32{511}},
		{feature: &SoftwareProgress{PreBootLoads: 4}, id: 0x80, value: [5]uint32{4}},
		{feature: &HostID{ID128: [16]byte{1, 2, 3, 4, 5, 6, 7, 8}}, id: 0x81, data: []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		{feature: &HostID{Extended: true, ID128: [16]byte{15: 9}}, id: 0x81, query: 1, value: [5]uint32{1}, data: append(make([]byte, 15), 9)},
		{feature: &ReservationMask{ReservationReleased: true}, id: 0x82, value: [5]uint32{4}},
		{feature: &ReservationPersistence{ThroughPowerLoss: true}, id: 0x83, value: [5]uint32{1}},
		{feature: &writeProtect, id: 0x84, value: [5]uint32{2}},
		{feature: &RawFeature{FeatureID: 0xc5, CDW11: 1, CDW12: 2, CDW13: 3, CDW14: 4, CDW15: 5, Value: 1, Data: []byte{1, 2, 3, 4}},
			id: 0xc5, query: 1, value: [5]uint32{1, 2, 3, 4, 5}, data: []byte{1, 2, 3, 4}},
	} {
		t.Run(c.feature.ID().String(), func(t *testing.T) {
			d := newFakeDrive()
			controller := NewController(d)
			dw0 := c.dw0
			if dw0 == 0 {
				dw0 = c.value[0]
			}
			reported := c.reported
			if reported == nil {
				reported = c.data
			}
			d.answer = func(cmd Command) (Completion, error) {
				if cmd.Opcode == AdminGetFeatures {
					copy(cmd.Data, reported)
				}
				return Completion{Result: uint64(dw0)}, nil
			}
			require.NoError(t, controller.WriteFeature(t.Context(), c.feature, FeatureOptions{NSID: 1, Save: true}))
			require.Equal(t, Command{
				Opcode: 0x09, NSID: 1, CDW10: uint32(c.id) | 1<<31,
				CDW11: c.value[0], CDW12: c.value[1], CDW13: c.value[2], CDW14: c.value[3], CDW15: c.value[4], Data: c.data,
			}, d.last(t))

			got := fresh(c.feature)
			require.NoError(t, controller.ReadFeature(t.Context(), got, FeatureOptions{NSID: 1, Select: SavedValue}))
			require.Equal(t, c.feature, got)
			cmd := d.last(t)
			cmd.Data = nil
			require.Equal(t, Command{Opcode: 0x0a, NSID: 1, CDW10: uint32(c.id) | 2<<8, CDW11: c.query}, cmd)
		})
	}
}

// fresh returns a value that says what to read, and holds nothing else of f.
func fresh(f Feature) Feature {
	switch f := f.(type) {
	case *TemperatureThreshold:
		return &TemperatureThreshold{Sensor: f.Sensor, Under: f.Under}
	case *InterruptVector:
		return &InterruptVector{Vector: f.Vector}
	case *ReadRecoveryLevel:
		return &ReadRecoveryLevel{NVMSet: f.NVMSet}
	case *EnduranceEvents:
		return &EnduranceEvents{Group: f.Group}
	case *HostID:
		return &HostID{Extended: f.Extended}
	case *RawFeature:
		raw := *f
		raw.Value, raw.Data = 0, make([]byte, len(f.Data))
		return &raw
	}
	return reflect.New(reflect.TypeOf(f).Elem()).Interface().(Feature)
}

// Defect 6: DW0 of Set and Get Features comes back.
func TestFeatureResults(t *testing.T) {
	d := newFakeDrive()
	c := NewController(d)
	d.answer = func(Command) (Completion, error) { return Completion{Result: 0x00030007}, nil }
	queues := NumberOfQueues{Submission: 64, Completion: 64}
	require.NoError(t, c.WriteFeature(t.Context(), &queues, FeatureOptions{}))
	require.Equal(t, NumberOfQueues{Submission: 8, Completion: 4}, queues)
	d.last(t)

	d.answer = func(Command) (Completion, error) { return Completion{Result: 5}, nil }
	can, err := c.FeatureCapabilities(t.Context(), FeatureTimestamp, 0)
	require.NoError(t, err)
	require.Equal(t, "saveable|changeable", can.String())
	require.Equal(t, uint32(0x30e), d.last(t).CDW10)
}

func TestFeatureRanges(t *testing.T) {
	c := NewController(newFakeDrive())
	bad := WriteProtect(4)
	apst := new(AutonomousPowerStates)
	apst.Transitions[1].Idle = time.Microsecond
	for _, f := range []Feature{
		&Arbitration{Burst: 8}, &PowerManagement{Workload: 8}, &TemperatureThreshold{Sensor: 16},
		&ReadRecoveryLevel{Level: 16}, &CommandSetProfile{Index: 512}, &bad, apst,
		&AutonomousPowerStates{Transitions: [32]AutonomousTransition{{State: 32}}},
		&HostMemoryBuffer{Descriptors: 8}, &KeepAlive{Timeout: -time.Second}, &NumberOfQueues{Submission: 65536, Completion: 1},
	} {
		require.ErrorIs(t, c.WriteFeature(t.Context(), f, FeatureOptions{NSID: 1}), os.ErrInvalid, "%T", f)
	}
	require.Error(t, c.WriteFeature(t.Context(), &Timestamp{Milliseconds: 1 << 48}, FeatureOptions{}))
}

func TestTimestamp(t *testing.T) {
	when := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	stamp := TimestampOf(when)
	require.Equal(t, when, stamp.Time())
	require.False(t, stamp.SetByHost())
	stamp.Attributes = 1<<1 | 1
	require.True(t, stamp.SetByHost())
	require.True(t, stamp.MayHaveStopped())
}

// telemetryDrive serves a telemetry log, and a persistent event log that
// somebody else has left a reporting context of.
func TestLongLogs(t *testing.T) {
	d := newFakeDrive()
	c := NewController(d)
	head := TelemetryHeader{LogPage: uint8(LogTelemetryHost), LastBlock: [3]uint16{2, 2, 40}, HostGeneration: 5}
	page := append(bytesOf(t, &head), bytes.Repeat([]byte{0xaa}, 40*512)...)
	reads := 0
	d.answer = func(cmd Command) (Completion, error) {
		copy(cmd.Data, page[cmd.CDW12:])
		reads++
		return Completion{}, nil
	}
	l, err := c.Telemetry(t.Context(), TelemetryOptions{})
	require.NoError(t, err)
	require.Equal(t, head, l.Header)
	require.Len(t, l.Bytes, 41*512)
	require.Equal(t, []int{1024, 0, 38 * 512, 0}, []int{len(l.Area(1)), len(l.Area(2)), len(l.Area(3)), len(l.Area(4))})
	var lsp []uint32
	for _, cmd := range d.commands {
		lsp = append(lsp, cmd.CDW10>>8&0xff)
	}
	require.Equal(t, []uint32{0x81, 0x80, 0x80, 0x80}, lsp, "created once; the event retained")

	_, err = c.Telemetry(t.Context(), TelemetryOptions{Most: 1024})
	require.ErrorIs(t, err, os.ErrInvalid)
	answer := d.answer
	d.answer = func(cmd Command) (Completion, error) {
		page[382-1]++ // a generation with every read
		return answer(cmd)
	}
	_, err = c.Telemetry(t.Context(), TelemetryOptions{Keep: true})
	require.ErrorIs(t, err, ErrChanged)

	d.commands = nil
	page = make([]byte, 512)
	page, err = AppendEvent(page, Event{EventHeader: EventHeader{Type: EventVendor}, Data: []byte("odd")})
	require.NoError(t, err)
	copy(page, bytesOf(t, &PersistentEventHeader{EventCount: 1, LogLength: uint64(len(page))}))
	var actions []uint32
	busy := true
	d.answer = func(cmd Command) (Completion, error) {
		action := cmd.CDW10 >> 8 & 0x7f
		actions = append(actions, action)
		switch {
		case action == persistentEstablish && busy:
			return Completion{Status: StatusSequenceError}, nil
		case action == persistentRelease:
			busy = false
		default:
			copy(cmd.Data, page)
		}
		return Completion{}, nil
	}
	events, err := c.PersistentEventLog(t.Context())
	require.NoError(t, err)
	require.Equal(t, "odd", string(events.Events[0].Data))
	require.Equal(t, []uint32{1, 2, 1, 0, 2}, actions)
}
