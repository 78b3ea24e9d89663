package nvme_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
)

// nvmeCLI runs nvme-cli on pages that the test has made; see
// testdata/nvmecli.c.
type nvmeCLI struct{ program, library, pages string }

func newNVMeCLI(t *testing.T) *nvmeCLI {
	t.Helper()
	gcc := fixture.RequireTool(t, "gcc")
	cli := &nvmeCLI{program: fixture.RequireTool(t, "nvme"), pages: t.TempDir()}
	cli.library = filepath.Join(t.TempDir(), "nvmecli.so")
	out, err := exec.Command(gcc, "-shared", "-fPIC", "-o", cli.library, "testdata/nvmecli.c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return cli
}

// decode lets nvme-cli print the page, which answers the admin command that
// name stands for.
func (c *nvmeCLI) decode(t *testing.T, name string, page []byte, args ...string) any {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(c.pages, name), page, 0o600))
	cmd := exec.Command(c.program, append(args, "/dev/null", "-o", "json")...)
	cmd.Env = append(os.Environ(), "LD_PRELOAD="+c.library, "NVMECLI_PAGES="+c.pages)
	out, err := cmd.Output()
	require.NoError(t, err, "%v", cmd.Args)
	out = out[max(bytes.IndexByte(out, '{'), 0):] // some commands begin with a line of text
	return parse(t, out)
}

func parse(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	require.NoError(t, d.Decode(&v), "%s", b)
	return v
}

// plain makes numbers, which nvme-cli writes as texts if they have 128 bits,
// and padded texts comparable.
func plain(v any) string { return strings.TrimRight(fmt.Sprint(v), " ") }

// diff compares ours with nvme-cli's, member by member. What only nvme-cli has
// is a difference; what only we have is not.
func diff(path string, ours, theirs any) []string {
	switch theirs := theirs.(type) {
	case map[string]any:
		o, ok := ours.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is no object but %v", path, ours)}
		}
		var all []string
		for _, name := range slices.Sorted(maps.Keys(theirs)) {
			if _, ok := o[name]; !ok {
				all = append(all, fmt.Sprintf("%s.%s is missing, want %v", path, name, theirs[name]))
				continue
			}
			all = append(all, diff(path+"."+name, o[name], theirs[name])...)
		}
		return all
	case []any:
		o, ok := ours.([]any)
		if !ok || len(o) < len(theirs) {
			return []string{fmt.Sprintf("%s has not %d members: %v", path, len(theirs), ours)}
		}
		var all []string
		for i := range theirs {
			all = append(all, diff(fmt.Sprintf("%s[%d]", path, i), o[i], theirs[i])...)
		}
		return all
	}
	if plain(ours) != plain(theirs) {
		return []string{fmt.Sprintf("%s is %v, want %v", path, ours, theirs)}
	}
	return nil
}

// A cliPage is a page of random bytes that nvme-cli is given to decode.
type cliPage struct {
	command string
	page    string         // the command's name in testdata/nvmecli.c
	fix     func(b []byte) // makes of the random bytes what nvme-cli can decode
	into    nvme.Structure // what we decode it to
	unwrap  func(any) any  // takes nvme-cli's result out of what it is wrapped in
	bytes   []byte
}

// cliPages are the same at each call.
func cliPages() []cliPage {
	text := func(b []byte, s string) {
		copy(b, bytes.Repeat([]byte(" "), len(b)))
		copy(b, s)
	}
	without := func(name string) func(any) any {
		return func(theirs any) any {
			delete(theirs.(map[string]any), name)
			return theirs
		}
	}
	pages := []cliPage{
		{command: "id-ctrl", page: "06-01", into: new(nvme.IdentifyController), fix: func(b []byte) {
			text(b[4:24], "SERIAL")
			text(b[24:64], "A model")
			text(b[64:72], "1.2.3")
			b[263] = 31 // power states, less one
			clear(b[768:1024])
			copy(b[768:], "nqn.2026-01.example:drive")
		}},
		{command: "id-ns -n 1", page: "06-00", into: new(nvme.IdentifyNamespace), fix: func(b []byte) {
			b[24] |= 1 << 4 // the NPWG family is valid
			b[25], b[82] = 63, 0
		}},
		{command: "id-ns -n 2", page: "06-00", into: new(nvme.IdentifyNamespace), fix: func(b []byte) {
			b[24] &^= 1 << 4
			b[25], b[82] = 9, 3
		}},
		{command: "nvm-id-ctrl", page: "06-06", into: new(nvme.NVMController)},
		{command: "nvm-id-ns -n 1", page: "06-05", into: new(nvme.NVMNamespace)},
		{command: "cmdset-ind-id-ns -n 1", page: "06-08", into: new(nvme.IndependentNamespace)},
		{command: "primary-ctrl-caps", page: "06-14", into: new(nvme.PrimaryController)},
		{command: "list-secondary", page: "06-15", into: new(nvme.SecondaryControllers), fix: func(b []byte) { b[0] = 127 }, unwrap: member("secondary-controllers")},
		{command: "id-nvmset", page: "06-04", into: new(nvme.NVMSetList), fix: func(b []byte) { b[0] = 31 }, unwrap: member("NVMSet")},
		{command: "id-domain", page: "06-18", into: new(nvme.DomainList), fix: func(b []byte) { b[0] = 31 }, unwrap: member("domain_list")},
		{command: "id-ns-granularity", page: "06-16", into: new(nvme.Granularities), fix: func(b []byte) { b[4] = 15 }, unwrap: without("num-descriptors")},
		{command: "smart-log", page: "02-02", into: new(nvme.SMARTLog)},
		{command: "endurance-log -g 1", page: "02-09", into: new(nvme.EnduranceGroupLog)},
		{command: "self-test-log", page: "02-06", into: new(nvme.SelfTestLog), fix: func(b []byte) {
			for i := range 20 { // an outcome that is used, with all valid, or some
				b[4+28*i] = byte(i%10 | 1<<4)
				b[4+28*i+2] &= 0xf
			}
			b[4+28*19] = 0x0f
		}},
		{command: "sanitize-log", page: "02-81", into: new(nvme.SanitizeLog), unwrap: func(theirs any) any {
			log := member("null")(theirs).(map[string]any) // the device is /dev/null
			without("status")(log["sstat"])                // a text
			return log
		}},
		{command: "fid-support-effects-log", page: "02-12", into: new(nvme.FeatureEffectsLog)},
		{command: "resv-notif-log", page: "02-80", into: new(nvme.ReservationNotification)},
		{command: "predictable-lat-log -i 1", page: "02-0a", into: new(nvme.PredictableLatencyLog), unwrap: without("nvmset_id")},
	}
	random := rand.New(rand.NewPCG(7, 7))
	for i := range pages {
		p := &pages[i]
		p.bytes = make([]byte, 4096)
		for i := range p.bytes {
			p.bytes[i] = byte(random.Uint32() & 0x7f) // nvme-cli 2.3 takes 32 bits for signed
		}
		if p.fix != nil {
			p.fix(p.bytes)
		}
	}
	return pages
}

// check compares what we decode the page to with nvme-cli's JSON.
func (p *cliPage) check(t *testing.T, theirs any) {
	t.Helper()
	if p.unwrap != nil {
		theirs = p.unwrap(theirs)
	}
	require.NoError(t, nvme.Decode(p.bytes, p.into))
	b, err := json.Marshal(p.into)
	require.NoError(t, err)
	require.Empty(t, diff("", parse(t, b), theirs))
}

func (p *cliPage) golden() string {
	return filepath.Join("testdata", "nvmecli", strings.ReplaceAll(p.command, " ", "")+".json")
}

// Pages of random bytes are decoded by nvme-cli and by us, and the two agree in
// every name and every number. -update keeps what nvme-cli said.
func TestNVMeCLIAgrees(t *testing.T) {
	cli := newNVMeCLI(t)
	for _, p := range cliPages() {
		t.Run(p.command, func(t *testing.T) {
			theirs := cli.decode(t, p.page, p.bytes, strings.Fields(p.command)...)
			if flag.Lookup("update").Value.String() == "true" {
				b, err := json.MarshalIndent(theirs, "", " ")
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(p.golden(), append(b, '\n'), 0o644))
			}
			p.check(t, theirs)
		})
	}
}

// What nvme-cli 2.3 has once said of the same pages, for machines without it.
func TestNVMeCLIGolden(t *testing.T) {
	for _, p := range cliPages() {
		t.Run(p.command, func(t *testing.T) {
			b, err := os.ReadFile(p.golden())
			require.NoError(t, err)
			p.check(t, parse(t, b))
		})
	}
}

// member returns the function that takes a member out of an object.
func member(name string) func(any) any {
	return func(v any) any { return v.(map[string]any)[name] }
}

func TestNVMeCLIAgreesOnLists(t *testing.T) {
	cli := newNVMeCLI(t)

	entry := nvme.ErrorLogEntry{
		ErrorCount: 7, SQID: 1, CommandID: 2, StatusField: 0x4005<<1 | 1, ParameterLocation: 0xffff, LBA: 99, NSID: 1,
		VendorLog: 3, TransportType: 4, CommandSpecific: 5, TransportSpecific: 6,
	}
	page, err := nvme.Encode(&entry)
	require.NoError(t, err)
	identify, err := nvme.Encode(&nvme.IdentifyController{ErrorLogEntries: 3})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(cli.pages, "06-01"), identify, 0o600))
	theirs := member("errors")(cli.decode(t, "02-01", page, "error-log", "-e", "1"))
	b, err := json.Marshal([]nvme.ErrorLogEntry{entry})
	require.NoError(t, err)
	require.Empty(t, diff("", parse(t, b), theirs))

	slots := nvme.FirmwareSlotLog{ActiveInfo: 0x21, Revisions: [7]string{"1.0", "2.0"}}
	page, err = nvme.Encode(&slots)
	require.NoError(t, err)
	fw := member("null")(cli.decode(t, "02-03", page, "fw-log")).(map[string]any)
	require.Equal(t, []string{"Active Firmware Slot (afi)", "Firmware Rev Slot 1", "Firmware Rev Slot 2"}, slices.Sorted(maps.Keys(fw)))
	require.Contains(t, fw["Firmware Rev Slot 2"], "(2.0")

	namespaces := nvme.NamespaceList{1, 2, 70000}
	page, err = nvme.Encode(&namespaces)
	require.NoError(t, err)
	require.Equal(t, `{"nsid_list":[{"nsid":1},{"nsid":2},{"nsid":70000}]}`, compact(t, cli.decode(t, "06-02", page, "list-ns")))

	controllers := nvme.ControllerList{1, 9}
	page, err = nvme.Encode(&controllers)
	require.NoError(t, err)
	require.Equal(t, `{"ctrl_list":[{"ctrl_id":1},{"ctrl_id":9}],"num_ctrl":2}`, compact(t, cli.decode(t, "06-13", page, "list-ctrl")))

	descriptors := nvme.NamespaceDescriptors{
		EUI64: nvme.EUI64{1, 2, 3}, NGUID: nvme.NGUID{4, 5}, UUID: nvme.UUID{6, 7}, CommandSet: nvme.ZonedCommandSet, CommandSetReported: true,
	}
	page, err = nvme.Encode(&descriptors)
	require.NoError(t, err)
	ours, err := json.Marshal(descriptors)
	require.NoError(t, err)
	merged := map[string]any{}
	for _, d := range member("ns-descs")(cli.decode(t, "06-03", page, "ns-descs", "-n", "1")).([]any) {
		kind := member("type")(d).(string)
		merged[kind] = member(kind)(d)
	}
	require.Equal(t, "0x2", merged["csi"])
	merged["csi"] = 2
	require.Empty(t, diff("", parse(t, ours), merged))
}

// A persistent event log with an event of each type.
func TestNVMeCLIAgreesOnEvents(t *testing.T) {
	cli := newNVMeCLI(t)
	page := make([]byte, 512)
	add := func(kind nvme.EventType, s nvme.Structure) {
		data, err := nvme.Encode(s)
		require.NoError(t, err)
		head := nvme.EventHeader{Type: kind, Revision: 1, ControllerID: 3, Timestamp: nvme.Timestamp{Milliseconds: 1000, Attributes: 2}, Port: 2}
		page, err = nvme.AppendEvent(page, nvme.Event{EventHeader: head, Data: data})
		require.NoError(t, err)
	}
	add(nvme.EventSMARTSnapshot, &nvme.SMARTLog{Temperature: 300, Sensors: [8]nvme.Temperature{2: 301}})
	add(nvme.EventFirmwareCommit, &nvme.FirmwareCommitEvent{Action: 3, Slot: 2, StatusType: 1, StatusCode: 0x11, VendorCode: 5})
	add(nvme.EventTimestampChange, &nvme.TimestampChangeEvent{Previous: nvme.Timestamp{Milliseconds: 5}, Milliseconds: 9})
	add(nvme.EventHardwareError, &nvme.HardwareErrorEvent{Code: 2})
	add(nvme.EventChangeNamespace, &nvme.ChangeNamespaceEvent{CDW10: 1, Size: 2, Capacity: 3, FormattedLBASize: 4, Protection: 5, MultiPath: 6, ANAGroupID: 7, NVMSetID: 8, NSID: 9})
	add(nvme.EventFormatStart, &nvme.FormatStartEvent{NSID: 1, Attributes: 2, CDW10: 3})
	add(nvme.EventFormatCompletion, &nvme.FormatCompletionEvent{NSID: 1, SmallestFPI: 2, FormatStatus: 3, CompletionInfo: 4, StatusField: 5})
	add(nvme.EventSanitizeStart, &nvme.SanitizeStartEvent{Capabilities: 1, CDW10: 2, CDW11: 3})
	add(nvme.EventSanitizeCompletion, &nvme.SanitizeCompletionEvent{Progress: 1, Status: 2, CompletionInfo: 3})
	head, err := nvme.Encode(&nvme.PersistentEventHeader{
		LogPage: 0x0d, EventCount: 9, LogLength: uint64(len(page)), Revision: 2, HeaderLength: 492, Timestamp: nvme.Timestamp{Milliseconds: 77, Attributes: 3},
		PowerOnHours: nvme.Uint128{Lo: 5}, PowerCycles: 6, PCIVendorID: 7, PCISubsystemVendorID: 8, SerialNumber: "SN", ModelNumber: "MN",
		SubsystemNQN: "nqn", Generation: 9, ReportingContext: 3,
	})
	require.NoError(t, err)
	copy(page, head)

	theirs := cli.decode(t, "02-0d", page, "persistent-event-log", "-a", "1", "-l", fmt.Sprint(len(page)))
	commit := theirs.(map[string]any)["list_of_event_entries"].([]any)[1].(map[string]any)
	delete(commit, "old_fw_rev") // the number that eight bytes of text make
	delete(commit, "new_fw_rev")
	ours, err := nvme.DecodePersistentEventLog(page)
	require.NoError(t, err)
	b, err := json.Marshal(ours)
	require.NoError(t, err)
	require.Empty(t, diff("", parse(t, b), theirs))
}

func TestNVMeCLIAgreesOnANA(t *testing.T) {
	cli := newNVMeCLI(t)
	identify, err := nvme.Encode(&nvme.IdentifyController{ANAGroupMax: 5, ANAGroupCount: 5, NamespaceCount: 4})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(cli.pages, "06-01"), identify, 0o600))
	page := make([]byte, 4096)
	le := binary.LittleEndian
	page[0], page[8] = 7, 5
	for i, state := range []byte{1, 2, 3, 4, 0xf} { // every state; the first group has two namespaces
		group := page[16+32*i:]
		if i > 0 {
			group = group[8:]
		}
		le.PutUint32(group, uint32(i+1))
		group[8], group[16] = byte(i+10), state
	}
	page[20], page[48], page[52] = 2, 3, 4
	theirs := cli.decode(t, "02-0c", page, "ana-log").(map[string]any)
	delete(theirs, "Asymmetric Namespace Access Log for NVMe device")
	ours, err := nvme.DecodeANALog(page)
	require.NoError(t, err)
	b, err := json.Marshal(ours)
	require.NoError(t, err)
	require.Empty(t, diff("", parse(t, b), theirs))
	_, err = nvme.DecodeANALog(page[:100])
	require.ErrorContains(t, err, "group 2 of 5 reaches past the page")
}

// The LBA status log, and the logs of pending events.
func TestNVMeCLIAgreesOnEventLogs(t *testing.T) {
	cli := newNVMeCLI(t)
	le := binary.LittleEndian
	page := make([]byte, 96)
	le.PutUint32(page, 96)
	le.PutUint32(page[4:], 2)
	le.PutUint32(page[8:], 7)
	le.PutUint16(page[14:], 9)
	first, second := page[16:], page[64:]
	le.PutUint32(first, 1)
	le.PutUint32(first[4:], 2)
	first[8] = uint8(nvme.ScanLBAs)
	le.PutUint64(first[16:], 1<<40)
	le.PutUint32(first[24:], 8)
	le.PutUint64(first[32:], 200)
	le.PutUint32(first[40:], 16)
	le.PutUint32(second, 5)
	le.PutUint32(second[4:], 1)
	second[8] = uint8(nvme.TrackedLBAs)
	le.PutUint64(second[16:], 300)
	le.PutUint32(second[24:], 1)
	status, err := nvme.DecodeLBAStatusLog(page)
	require.NoError(t, err)
	b, err := json.Marshal(status)
	require.NoError(t, err)
	require.Empty(t, diff("", parse(t, b), cli.decode(t, "02-0e", page, "lba-status-log")))

	for page, command := range map[string]string{"02-0b": "pred-lat-event-agg-log", "02-0f": "endurance-event-agg-log"} {
		identify, err := nvme.Encode(&nvme.IdentifyController{NVMSetMax: 9, EnduranceGroupMax: 9})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(cli.pages, "06-01"), identify, 0o600))
		events := []byte{3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 5, 0, 6, 1, 0, 0}
		theirs := member("list_of_entries")(cli.decode(t, page, events, command, "-e", "3"))
		ids, err := nvme.DecodeEventAggregate(events)
		require.NoError(t, err)
		require.Equal(t, []uint16{4, 5, 262}, ids)
		require.Equal(t, `[{"entry":4},{"entry":5},{"entry":262}]`, compact(t, theirs))
	}
}

func compact(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
