package nvme

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme/internal/wire"
)

// structures are all that have a fixed layout, one of each.
func structures() []Structure {
	return []Structure{
		new(IdentifyController), new(PowerState), new(IdentifyNamespace), new(LBAFormat),
		new(NamespaceList), new(ControllerList), new(EnduranceGroupList), new(NamespaceDescriptors),
		new(CommandSetCombinations), new(UUIDList), new(NVMNamespace), new(NVMController),
		new(IndependentNamespace), new(PrimaryController), new(ControllerResource),
		new(SecondaryController), new(SecondaryControllers), new(NVMSet), new(NVMSetList),
		new(Domain), new(DomainList), new(Granularity), new(Granularities),
		new(SMARTLog), new(EnduranceGroupLog), new(Timestamp), new(ErrorLogEntry),
		new(FirmwareSlotLog), new(SanitizeLog), new(SelfTestLog), new(SelfTestResult),
		new(CommandEffectsLog), new(FeatureEffectsLog), new(SupportedLogPages),
		new(TelemetryHeader), new(PersistentEventHeader), new(EventHeader),
		new(FirmwareCommitEvent), new(TimestampChangeEvent), new(ControllerReset), new(PowerOnEvent),
		new(HardwareErrorEvent), new(ChangeNamespaceEvent), new(FormatStartEvent),
		new(FormatCompletionEvent), new(SanitizeStartEvent), new(SanitizeCompletionEvent),
		new(ThermalExcursionEvent), new(ReservationNotification), new(HostBehavior),
		new(NamespaceOptions), new(Directives), new(StreamParameters), new(Registrant),
		new(PredictableLatencyLog), new(LockdownLog),
	}
}

// A row is a field of a layout. The elements of an array are one row.
type row struct {
	off, size int
	name      string // the Go field, or "-" for a reserved area
}

func (r row) String() string { return fmt.Sprintf("%d %d %s", r.off, r.size, r.name) }

// layout lists what the structure's walk visits.
func layout(s Structure) []row {
	var rows []row
	for _, f := range wire.Fields(s.walk) {
		r := row{f.Offset, f.Size, fieldName(s, f.Ptr)}
		if n := len(rows) - 1; n >= 0 && r.name != "-" && rows[n].name == r.name && rows[n].off+rows[n].size == r.off {
			rows[n].size += r.size
			continue
		}
		rows = append(rows, r)
	}
	return rows
}

// fieldName returns the name of the field of s that ptr points into.
func fieldName(s Structure, ptr any) string {
	if ptr == nil {
		return "-"
	}
	v := reflect.ValueOf(s).Elem()
	p := reflect.ValueOf(ptr).Pointer()
	if v.Kind() != reflect.Struct || p == v.Addr().Pointer() && reflect.TypeOf(ptr) == reflect.TypeOf(s) {
		return "*"
	}
	for i := range v.NumField() {
		from := v.Field(i).Addr().Pointer()
		if p >= from && p < from+v.Field(i).Type().Size() {
			return v.Type().Field(i).Name
		}
	}
	return "?"
}

// layouts reads testdata/layout.txt.
func layouts(t *testing.T) map[string][]row {
	f, err := os.Open("testdata/layout.txt")
	require.NoError(t, err)
	defer f.Close()
	tables := map[string][]row{}
	var name string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		var r row
		switch n, _ := fmt.Sscan(line, &r.off, &r.size, &r.name); {
		case n == 3:
			tables[name] = append(tables[name], r)
		case strings.TrimSpace(line) != "":
			name = strings.TrimSpace(line)
		}
	}
	return tables
}

// The walk of every structure is compared with a table of the specification's
// offsets: defects 4 (the health page's thermal totals at 224 and 228) and 5
// (Identify Controller's byte 531) are rows of it.
func TestLayout(t *testing.T) {
	tables := layouts(t)
	for _, s := range structures() {
		t.Run(structureName(s), func(t *testing.T) {
			got := layout(s)
			require.Equal(t, tables[structureName(s)], got)
			end := 0
			for _, r := range got {
				require.Equal(t, end, r.off, "a gap or an overlap before %v", r)
				require.NotEqual(t, "?", r.name)
				end += r.size
			}
			require.Equal(t, s.size(), end)
		})
	}
}

// Every exported field is visited, so none is forgotten in the walk.
func TestLayoutVisitsEveryField(t *testing.T) {
	for _, s := range structures() {
		v := reflect.TypeOf(s).Elem()
		if v.Kind() != reflect.Struct {
			continue
		}
		seen := map[string]bool{}
		for _, r := range layout(s) {
			seen[r.name] = true
		}
		for i := range v.NumField() {
			if name := v.Field(i).Name; !seen["*"] && !seen[name] {
				switch structureName(s) + "." + name {
				case "PowerOnEvent.Controllers": // as many as there are
				case "NamespaceOptions.CommandSet": // in the command, not its data
				default:
					t.Errorf("%T: field %s is not visited", s, name)
				}
			}
		}
	}
}

// What is decoded is what is encoded: for random bytes, with the reserved areas
// aside, and for each field alone.
func TestRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, s := range structures() {
		t.Run(structureName(s), func(t *testing.T) {
			for range 20 {
				b := make([]byte, s.size())
				for i := range b {
					b[i] = byte(random.Uint32())
				}
				checkStable(t, b, s)
			}
		})
	}
}

// checkStable decodes b, and wants what it decodes to to be encoded to the same
// bytes again and again.
func checkStable(t *testing.T, b []byte, s Structure) {
	t.Helper()
	if err := Decode(b, s); err != nil {
		var bad *DecodeError
		require.ErrorAs(t, err, &bad)
		return
	}
	once, err := Encode(s)
	require.NoError(t, err)
	require.NoError(t, Decode(once, s))
	twice, err := Encode(s)
	require.NoError(t, err)
	require.Equal(t, once, twice)
}

func TestDecodeRefusesShort(t *testing.T) {
	for _, s := range structures() {
		if s.size() == 0 {
			continue
		}
		var bad *DecodeError
		err := Decode(make([]byte, s.size()-1), s)
		require.ErrorAs(t, err, &bad)
		require.Equal(t, structureName(s), bad.Structure)
	}
}

func TestEncodeRefusesWhatDoesNotFit(t *testing.T) {
	for _, s := range []Structure{
		&IdentifyController{SerialNumber: strings.Repeat("x", 21)},
		&IdentifyController{SubsystemNQN: strings.Repeat("x", 257)},
		&IdentifyController{OUI: 1 << 24},
		&Timestamp{Milliseconds: 1 << 48},
		ptr(NamespaceList(make([]uint32, 1025))),
		ptr(ControllerList(make([]uint16, 2048))),
		ptr(UUIDList(make([]UUIDEntry, 128))),
		ptr(NVMSetList(make([]NVMSet, 32))),
		&Granularities{Entries: make([]Granularity, 17)},
	} {
		_, err := Encode(s)
		require.Error(t, err, "%T", s)
	}
}

func ptr[T any](v T) *T { return &v }

// Defect 11: strings are padded with spaces or with NULs.
func TestTextPadding(t *testing.T) {
	b := make([]byte, 4096)
	copy(b[4:], "  SN1\x00\x00\x00")
	copy(b[24:], bytes.Repeat([]byte(" "), 40))
	copy(b[24:], "A model")
	var c IdentifyController
	require.NoError(t, Decode(b, &c))
	require.Equal(t, "SN1", c.SerialNumber)
	require.Equal(t, "A model", c.ModelNumber)
}

func TestNamespaceDescriptors(t *testing.T) {
	want := NamespaceDescriptors{
		EUI64: EUI64{1, 2, 3, 4, 5, 6, 7, 8}, NGUID: NGUID{15: 1}, UUID: UUID{0: 0xab},
		CommandSet: ZonedCommandSet, CommandSetReported: true,
	}
	b, err := Encode(&want)
	require.NoError(t, err)
	require.Equal(t, []byte{1, 8, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 2, 16, 0, 0}, b[:16])
	var got NamespaceDescriptors
	require.NoError(t, Decode(b, &got))
	require.Equal(t, want, got)

	b[1] = 7
	require.ErrorContains(t, Decode(b, &got), "type 1 has 7 bytes, want 8")
}

func TestPersistentEventLogDecodes(t *testing.T) {
	commit := FirmwareCommitEvent{OldRevision: "1.0", NewRevision: "1.1", Action: ActivateNow, Slot: 2, StatusType: 1, StatusCode: 0x11}
	data, err := Encode(&commit)
	require.NoError(t, err)
	page := make([]byte, 512)
	page, err = AppendEvent(page, Event{EventHeader: EventHeader{Type: EventFirmwareCommit}, Vendor: []byte("vendor"), Data: data})
	require.NoError(t, err)
	page, err = AppendEvent(page, Event{EventHeader: EventHeader{Type: EventVendor}, Data: []byte("?")})
	require.NoError(t, err)
	head, err := Encode(&PersistentEventHeader{LogPage: 0x0d, EventCount: 2, LogLength: uint64(len(page)), HeaderLength: 492})
	require.NoError(t, err)
	copy(page, head)

	l, err := DecodePersistentEventLog(append(page, "padding"...))
	require.NoError(t, err)
	require.Len(t, l.Events, 2)
	require.Equal(t, "vendor", string(l.Events[0].Vendor))
	detail, err := l.Events[0].Detail()
	require.NoError(t, err)
	require.Equal(t, &commit, detail)
	detail, err = l.Events[1].Detail()
	require.NoError(t, err)
	require.Nil(t, detail)

	_, err = DecodePersistentEventLog(page[:len(page)-1])
	require.ErrorContains(t, err, "event 1 of 2")
}

// FuzzDecode gives bytes to every decoder: none panics, and what they decode is
// encoded stably.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{1, 8, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range structures() {
			page := make([]byte, s.size())
			copy(page, b)
			checkStable(t, page, s)
		}
		for _, decode := range []func([]byte) error{
			func(b []byte) error { _, err := DecodePersistentEventLog(b); return err },
			func(b []byte) error { _, err := DecodeANALog(b); return err },
			func(b []byte) error { _, err := decodePowerOn(b); return err },
			func(b []byte) error { _, err := DecodeLBAStatusLog(b); return err },
			func(b []byte) error { _, err := DecodeEventAggregate(b); return err },
			func(b []byte) error { _, err := DecodeMediaUnitLog(b); return err },
			func(b []byte) error { _, err := DecodeCapacityConfigurations(b); return err },
		} {
			var bad *DecodeError
			if err := decode(b); err != nil && !errors.As(err, &bad) {
				t.Errorf("%v is no DecodeError", err)
			}
		}
	})
}
