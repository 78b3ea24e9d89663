package nvme_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
)

// A qemuPage is a page of QEMU's drive: testdata/qemu, which capture.sh there
// makes.
type qemuPage struct {
	name   string
	into   func() nvme.Structure
	size   int             // bytes of one structure, where the page is a list of them
	theirs func(v any) any // nvme-cli's JSON, less the deliberate differences; see json.go
	only   []string        // members that nvme-cli 2.3 has not
}

func structure[T any, P interface {
	*T
	nvme.Structure
}]() nvme.Structure {
	return P(new(T))
}

var qemuPages = []qemuPage{
	{name: "id-ctrl", into: structure[nvme.IdentifyController], only: []string{"dctype"}},
	{name: "id-ns-512", into: structure[nvme.IdentifyNamespace]},
	{name: "id-ns-4096-8", into: structure[nvme.IdentifyNamespace]},
	{name: "nvm-id-ctrl", into: structure[nvme.NVMController]},
	{name: "list-ns", into: structure[nvme.NamespaceList], theirs: func(v any) any {
		list := member("nsid_list")(v).([]any)
		for i := range list {
			list[i] = member("nsid")(list[i])
		}
		return list
	}},
	{name: "ns-descs", into: structure[nvme.NamespaceDescriptors], theirs: func(v any) any {
		merged := map[string]any{}
		for _, d := range member("ns-descs")(v).([]any) {
			kind := member("type")(d).(string)
			merged[kind] = member(kind)(d)
		}
		return merged
	}},
	{name: "error-log", into: structure[nvme.ErrorLogEntry], size: 64, theirs: member("errors")},
	{name: "smart-log", into: structure[nvme.SMARTLog]},
	{name: "fw-log", into: structure[nvme.FirmwareSlotLog], theirs: firmwareOfCLI},
	{name: "effects-log", into: structure[nvme.CommandEffectsLog], theirs: func(v any) any {
		log := v.(map[string]any)
		delete(log, "command_set_identifier") // of the request, not of the page
		for set, commands := range log {
			byOpcode := map[string]any{}
			for name, effects := range commands.(map[string]any) { // "ACS_6 (Identify)"
				opcode, _, _ := strings.Cut(name, " ")
				byOpcode[opcode] = effects
			}
			log[set] = byOpcode
		}
		return log
	}},
}

// firmwareOfCLI makes texts of the numbers that nvme-cli takes revisions for:
// "2314885530819505713 (1.0.....)" under the device's name.
func firmwareOfCLI(v any) any {
	for _, log := range v.(map[string]any) {
		log := log.(map[string]any)
		for name, value := range log {
			if text, ok := value.(string); ok {
				digits, _, _ := strings.Cut(text, " ")
				n, err := strconv.ParseUint(digits, 10, 64)
				if err != nil {
					return err
				}
				log[name] = strings.TrimRight(string(binary.LittleEndian.AppendUint64(nil, n)), " ")
			}
		}
		return log
	}
	return nil
}

func qemuFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "qemu", name))
	require.NoError(t, err)
	return b
}

// Pages of a drive that is not ours: decoded as nvme-cli decodes them, and
// encoded to the bytes that they were.
func TestQEMUPages(t *testing.T) {
	for _, p := range qemuPages {
		t.Run(p.name, func(t *testing.T) {
			page := qemuFile(t, p.name+".bin")
			theirs := parse(t, qemuFile(t, p.name+".json"))
			if p.theirs != nil {
				theirs = p.theirs(theirs)
			}
			var ours any
			var encoded []byte
			if p.size == 0 {
				s := p.into()
				encoded = reencode(t, page, s)
				ours = s
			} else {
				var list []nvme.Structure
				for off := 0; off < len(page); off += p.size {
					s := p.into()
					encoded = append(encoded, reencode(t, page[off:off+p.size], s)...)
					list = append(list, s)
				}
				ours = list
			}
			b, err := json.Marshal(ours)
			require.NoError(t, err)
			decoded := parse(t, b)
			require.Empty(t, diff("", decoded, theirs))
			for _, name := range p.only {
				require.Contains(t, decoded, name)
				delete(decoded.(map[string]any), name)
			}
			require.Empty(t, diff("", theirs, decoded), "what only we have")
			require.Equal(t, page, encoded)
		})
	}
}

func reencode(t *testing.T, page []byte, s nvme.Structure) []byte {
	t.Helper()
	require.NoError(t, nvme.Decode(page, s))
	b, err := nvme.Encode(s)
	require.NoError(t, err)
	return b
}

// No page lies in testdata that no test looks at.
func TestQEMUPagesAreAllTested(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "qemu", "*.bin"))
	require.NoError(t, err)
	var names, tested []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".bin"))
	}
	for _, p := range qemuPages {
		tested = append(tested, p.name)
	}
	require.ElementsMatch(t, tested, names)
}

// lastResult keeps what the last command was and what it returned.
type lastResult struct {
	nvme.Transport
	cmd    nvme.Command
	result uint64
}

func (l *lastResult) Submit(ctx context.Context, cmd nvme.Command) (nvme.Completion, error) {
	done, err := l.Transport.Submit(ctx, cmd)
	l.cmd, l.result = cmd, done.Result
	return done, err
}

// Features of the drive: the transcript is replayed, the dword is the one that
// nvme-cli has got, and the value is what nvme-cli says of it.
func TestQEMUFeatures(t *testing.T) {
	replayer, err := nvme.NewReplayer(bytes.NewReader(qemuFile(t, "features.jsonl")))
	require.NoError(t, err)
	last := &lastResult{Transport: replayer}
	c := nvme.NewController(last)
	texts := strings.Split(string(qemuFile(t, "features.txt")), "get-feature:")[1:]
	events := nvme.NotifyNamespaceAttributes
	tests := []struct {
		f, want nvme.Feature // f says what to read
		nsid    uint32
		says    []string // by nvme-cli
	}{
		{new(nvme.Arbitration), &nvme.Arbitration{Burst: 7}, 0, []string{"(HPW): 1", "(MPW): 1", "(LPW): 1", "(AB): No limit"}},
		{new(nvme.PowerManagement), &nvme.PowerManagement{}, 0, []string{"(WH): 0", "(PS): 0"}},
		{new(nvme.TemperatureThreshold), &nvme.TemperatureThreshold{Threshold: 343}, 0, []string{"0 - Over", "0 - Composite", "(343 Kelvin)"}},
		// nvme-cli looks for the selectors in the result, where they are not.
		{&nvme.TemperatureThreshold{Under: true}, &nvme.TemperatureThreshold{Under: true}, 0, []string{"(0 Kelvin)"}},
		{new(nvme.ErrorRecovery), &nvme.ErrorRecovery{}, 1, []string{"(DULBE): Disabled", "(TLER): 0 ms"}},
		{new(nvme.VolatileWriteCache), &nvme.VolatileWriteCache{Enabled: true}, 0, []string{"(WCE): Enabled"}},
		{new(nvme.NumberOfQueues), &nvme.NumberOfQueues{Submission: 64, Completion: 64}, 0, []string{"(NCQA): 64", "(NSQA): 64"}},
		{new(nvme.InterruptCoalescing), &nvme.InterruptCoalescing{}, 0, []string{"(TIME): 0 usec", "(THR): 1"}},
		{&nvme.InterruptVector{Vector: 1}, &nvme.InterruptVector{Vector: 1}, 0, []string{"(CD): False", "(IV): 1"}},
		{new(nvme.WriteAtomicity), &nvme.WriteAtomicity{}, 0, []string{"(DN): False"}},
		{new(nvme.AsyncEvents), &events, 0, []string{"Namespace Attribute Notices                               : Send"}},
		{new(nvme.CommandSetProfile), &nvme.CommandSetProfile{}, 0, []string{"Profile: False"}},
	}
	require.Len(t, texts, len(tests))
	for i, tt := range tests {
		require.NoError(t, c.ReadFeature(t.Context(), tt.f, nvme.FeatureOptions{NSID: tt.nsid}), "%v", tt.f.ID())
		require.Equal(t, tt.want, tt.f)
		var id nvme.FeatureID
		_, err := fmt.Sscanf(texts[i], "%v", &id)
		require.NoError(t, err)
		require.Equal(t, tt.f.ID(), id)
		_, value, _ := strings.Cut(texts[i], "Current value:")
		value, _, _ = strings.Cut(value, "\n")
		theirs, err := strconv.ParseUint(strings.TrimPrefix(value, "0x"), 16, 32)
		require.NoError(t, err)
		require.Equal(t, theirs, last.result, "%v", tt.f.ID())
		for _, says := range tt.says {
			require.Contains(t, texts[i], says)
		}

		sent := &capture{}
		require.NoError(t, nvme.NewController(sent).WriteFeature(t.Context(), tt.f, nvme.FeatureOptions{NSID: tt.nsid}))
		require.Equal(t, uint32(last.result)|last.cmd.CDW11, sent.last.CDW11, "%v is set to what it was, and the selector", id)
	}
	require.Zero(t, replayer.Remaining())
}
