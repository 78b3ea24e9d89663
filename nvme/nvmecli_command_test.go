package nvme_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme"
)

// A sent command is what a drive gets to see of one.
type sent struct {
	Queue                                          nvme.Queue
	Opcode                                         nvme.Opcode
	NSID, CDW2, CDW3                               uint32
	CDW10, CDW11, CDW12, CDW13, CDW14, CDW15, Size uint32
	Data                                           string
}

// capture answers Identify from pages, everything else with success, and keeps
// the last command.
type capture struct {
	pages map[string][]byte
	last  sent
}

func (c *capture) Submit(_ context.Context, cmd nvme.Command) (nvme.Completion, error) {
	if cmd.Queue == nvme.AdminQueue {
		copy(cmd.Data, c.pages[fmt.Sprintf("%02x-%02x", uint8(cmd.Opcode), cmd.CDW10&0xff)])
	}
	c.last = sent{
		cmd.Queue, cmd.Opcode, cmd.NSID, cmd.CDW2, cmd.CDW3,
		cmd.CDW10, cmd.CDW11, cmd.CDW12, cmd.CDW13, cmd.CDW14, cmd.CDW15, uint32(len(cmd.Data)), "",
	}
	if cmd.Opcode.Direction() == nvme.ToController {
		c.last.Data = hex.EncodeToString(cmd.Data)
	}
	return nvme.Completion{}, nil
}

// send lets nvme-cli send a command, and returns the last that it has sent.
func (c *nvmeCLI) send(t *testing.T, args ...string) sent {
	t.Helper()
	journal := filepath.Join(t.TempDir(), "journal")
	cmd := exec.Command(c.program, append([]string{args[0], "/dev/null"}, args[1:]...)...)
	cmd.Env = append(os.Environ(), "LD_PRELOAD="+c.library, "NVMECLI_PAGES="+c.pages, "NVMECLI_JOURNAL="+journal)
	out, _ := cmd.CombinedOutput() // it is answered with errors, which do not matter
	b, err := os.ReadFile(journal)
	require.NoError(t, err, "%s", out)
	lines := bytes.Split(bytes.TrimRight(b, "\n"), []byte("\n"))
	var s sent
	var queue, opcode uint8
	n, _ := fmt.Sscanf(string(lines[len(lines)-1]), "%x %x %x %x %x %x %x %x %x %x %x %x %s", &queue, &opcode, &s.NSID, &s.CDW2, &s.CDW3,
		&s.CDW10, &s.CDW11, &s.CDW12, &s.CDW13, &s.CDW14, &s.CDW15, &s.Size, &s.Data)
	require.GreaterOrEqual(t, n, 12)
	s.Queue, s.Opcode = nvme.Queue(queue), nvme.Opcode(opcode)
	return s
}

// nvme-cli and we send the same dwords and the same data for the same request.
func TestNVMeCLISendsTheSame(t *testing.T) {
	cli := newNVMeCLI(t)
	namespace := nvme.IdentifyNamespace{
		Size: 1 << 33, Capacity: 1 << 33, FormatCount: 15, MetadataCapabilities: 3, ProtectionCapabilities: 0x1f, MaxCopyRanges: 1,
	}
	for i := range 16 {
		namespace.Formats[i] = nvme.LBAFormat{DataSize: 12, MetadataSize: uint16(i) * 8}
	}
	identify := nvme.IdentifyController{AdminCommands: 0x7ff, FormatAttributes: nvme.CryptoErase, Sanitize: 7, NamespaceCount: 4, LogPages: 0x7f}
	transport := &capture{pages: map[string][]byte{}}
	for name, s := range map[string]nvme.Structure{"06-00": &namespace, "06-01": &identify} {
		page, err := nvme.Encode(s)
		require.NoError(t, err)
		transport.pages[name] = page
		require.NoError(t, os.WriteFile(filepath.Join(cli.pages, name), page, 0o600))
	}
	ctx := t.Context()
	c := nvme.NewController(transport)
	n, err := c.Namespace(ctx, 1)
	require.NoError(t, err)
	data := bytes.Repeat([]byte("0123456789abcdef"), 512)
	file := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	const lba = 0x123456789
	all := nvme.IOOptions{
		ForceUnitAccess: true, LimitedRetry: true, Protect: nvme.ProtectionAction | nvme.CheckGuard,
		ReferenceTag: 0xcafe, ApplicationTag: 0x1122, ApplicationMask: 0xffff,
	}
	block := make([]byte, 4096)

	for _, test := range []struct {
		args string
		call func() error
	}{
		{"get-log -i 9 -l 512 -S 0x1234 -s 0x7f --rae --csi=2 -U 3 -o 4096 -n 2", func() error {
			return c.LogPage(ctx, nvme.LogPageRequest{ID: nvme.LogEnduranceGroup, NSID: 2, Parameter: 0x7f, SpecificID: 0x1234,
				CommandSet: nvme.ZonedCommandSet, UUIDIndex: 3, RetainEvent: true, Offset: 4096}, block[:512])
		}},
		{"smart-log", func() error { _, err := c.SMARTLog(ctx); return err }},
		{"fw-log", func() error { _, err := c.FirmwareSlotLog(ctx); return err }},
		{"sanitize-log", func() error { _, err := c.SanitizeLog(ctx); return err }},
		{"id-ctrl", func() error { _, err := c.Identify(ctx); return err }},
		{"list-ctrl -n 3 -c 7", func() error { _, err := c.AttachedControllers(ctx, 3, 7); return err }},
		{"nvm-id-ns -n 1", func() error { _, err := c.NVMNamespace(ctx, 1); return err }},
		{"id-uuid", func() error { _, err := c.UUIDs(ctx); return err }},
		{"id-domain -d 5", func() error { _, err := c.Domains(ctx, 5); return err }},
		{"list-endgrp -i 5", func() error { _, err := c.EnduranceGroups(ctx, 5); return err }},

		{"fw-commit -s 5 -a 3", func() error {
			_, err := c.FirmwareCommit(ctx, nvme.FirmwareCommit{Slot: 5, Action: nvme.ActivateNow})
			return err
		}},
		{"fw-commit -s 0 -a 7 -b 1", func() error {
			_, err := c.FirmwareCommit(ctx, nvme.FirmwareCommit{Action: nvme.ActivateBootPartition, BootPartition: 1})
			return err
		}},
		{"fw-download -x 4096 -f " + file, func() error { // the first part, as that fails
			return c.FirmwareDownload(ctx, 0, data[:4096])
		}},
		{"format -n 1 -l 9 -s 1 -i 2 -p 1 -m 1 --force", func() error {
			return c.Format(ctx, nvme.FormatOptions{NSID: 1, Format: 9, Erase: nvme.UserDataErase, Protection: 2, ProtectionFirst: true, ExtendedLBA: true})
		}},
		{"sanitize -a 3 -n 3 -p 0xdeadbeef --oipbp --no-dealloc --ause", func() error {
			return c.Sanitize(ctx, nvme.SanitizeOptions{Action: nvme.Overwrite, Passes: 3, Pattern: 0xdeadbeef, InvertPattern: true, NoDeallocate: true, AllowUnrestrictedExit: true})
		}},
		{"sanitize -a 4", func() error { return c.Sanitize(ctx, nvme.SanitizeOptions{Action: nvme.CryptoEraseMedia}) }},
		{"device-self-test -n 0xffffffff -s 2", func() error { return c.SelfTest(ctx, nvme.BroadcastNSID, nvme.ExtendedSelfTest) }},
		{"create-ns -s 0x1000 -c 0x800 -f 3 -d 9 -m 1 -a 5 -i 6 --csi=2", func() error {
			_, err := c.CreateNamespace(ctx, nvme.NamespaceOptions{Size: 0x1000, Capacity: 0x800, FormattedLBASize: 3, Protection: 9,
				Shared: true, ANAGroupID: 5, NVMSetID: 6, CommandSet: nvme.ZonedCommandSet})
			return err
		}},
		{"delete-ns -n 2", func() error { return c.DeleteNamespace(ctx, 2) }},
		{"attach-ns -n 2 -c 1,9", func() error { return c.AttachNamespace(ctx, 2, 1, 9) }},
		{"detach-ns -n 2 -c 9", func() error { return c.DetachNamespace(ctx, 2, 9) }},
		{"set-feature -n 1 -f 2 -v 0x5f --save", func() error {
			return c.WriteFeature(ctx, &nvme.PowerManagement{State: 31, Workload: 2}, nvme.FeatureOptions{NSID: 1, Save: true})
		}},
		{"get-feature -n 1 -f 4 --cdw11=0x120000 -s 2", func() error {
			return c.ReadFeature(ctx, &nvme.TemperatureThreshold{Sensor: 2, Under: true}, nvme.FeatureOptions{NSID: 1, Select: nvme.SavedValue})
		}},
		{"get-feature -n 1 -f 0x0e -s 0 -l 8", func() error {
			return c.ReadFeature(ctx, new(nvme.Timestamp), nvme.FeatureOptions{NSID: 1})
		}},
		{"security-recv -n 1 -p 0xea -s 0x1234 -N 1 -x 256 -t 256", func() error {
			return c.SecurityReceive(ctx, nvme.SecurityRequest{NSID: 1, Protocol: 0xea, Specific: 0x1234, NVMeSpecific: 1}, block[:256])
		}},
		{"dir-send -n 1 -D 0 -O 1 -e 1 -T 1", func() error { return c.EnableDirective(ctx, 1, nvme.StreamsDirective, true) }},
		{"dir-receive -n 1 -D 1 -O 1", func() error { _, err := c.StreamParameters(ctx, 1); return err }},
		{"dir-receive -n 1 -D 1 -O 3 -r 5", func() error { _, err := c.AllocateStreams(ctx, 1, 5); return err }},

		{"read -n 1 -s 0x123456789 -c 0 -z 4096 -p 12 -r 0xcafe -a 0x1122 -m 0xffff -l -f", func() error {
			return look(c).Read(ctx, lba, block, all)
		}},
		{"write -n 1 -s 0x123456789 -c 1 -z 8192 -T 1 -S 9 -D 5 -d " + file, func() error {
			return look(c).Write(ctx, lba, data, nvme.IOOptions{Directive: nvme.StreamsDirective, Specific: 9, DatasetHints: 5})
		}},
		{"compare -n 1 -s 0x123456789 -c 1 -z 8192 -d " + file, func() error { return look(c).Compare(ctx, lba, data, nvme.IOOptions{}) }},
		{"write-zeroes -n 1 -s 1 -c 65535 --deac", func() error { return look(c).WriteZeroes(ctx, 1, 65536, true, nvme.IOOptions{}) }},
		{"verify -n 1 -s 1 -c 1", func() error { return look(c).Verify(ctx, 1, 2, nvme.IOOptions{}) }},
		{"write-uncor -n 1 -s 1 -c 1", func() error { return look(c).WriteUncorrectable(ctx, 1, 2) }},
		{"flush -n 1", func() error { return n.Flush(ctx) }},
		{"dsm -n 1 -a 0,1 -b 8,2 -s 0x123456789,1 --ad", func() error {
			return look(c).DatasetManagement(ctx, nvme.Deallocate, nvme.DatasetRange{LBA: lba, Blocks: 8}, nvme.DatasetRange{Attributes: 1, LBA: 1, Blocks: 2})
		}},
		{"copy -n 1 --sdlba=5 --blocks=99,49 --slbs=0x123456789,2 --force-unit-access", func() error {
			return look(c).Copy(ctx, 5, nvme.IOOptions{ForceUnitAccess: true}, nvme.CopySource{LBA: lba, Blocks: 100}, nvme.CopySource{LBA: 2, Blocks: 50})
		}},
		{"resv-register -n 1 -c 1 -k 0x123456789 -r 2 -p 3 -i", func() error {
			return n.RegisterReservation(ctx, nvme.ReservationRegister{Action: nvme.ReplaceKey, Key: 1, NewKey: lba, Persist: nvme.PersistOn, IgnoreKey: true})
		}},
		{"resv-acquire -n 1 -c 1 -p 2 -t 2 -a 1", func() error {
			return n.AcquireReservation(ctx, nvme.ReservationAcquire{Action: nvme.PreemptReservation, Type: nvme.ExclusiveAccess, Key: 1, PreemptKey: 2})
		}},
		{"resv-release -n 1 -c 1 -t 1 -a 0", func() error {
			return n.ReleaseReservation(ctx, nvme.ReservationRelease{Type: nvme.WriteExclusive, Key: 1})
		}},
		{"resv-report -n 1 -e -d 1023", func() error { _, err := n.Reservations(ctx); return err }},
	} {
		name, _, _ := strings.Cut(test.args, " -")
		t.Run(name, func(t *testing.T) {
			theirs := cli.send(t, strings.Fields(test.args)...)
			require.NoError(t, test.call())
			ours := transport.last
			if ours.Opcode == nvme.IOCopy && ours.Queue == nvme.IOQueue {
				theirs.Data = withoutReserved(t, theirs.Data)
			}
			require.Equal(t, theirs, ours)
		})
	}
}

// withoutReserved clears the reserved bytes of Copy's ranges, which nvme-cli
// leaves as its memory was.
func withoutReserved(t *testing.T, data string) string {
	t.Helper()
	b, err := hex.DecodeString(data)
	require.NoError(t, err)
	for i := 0; i < len(b); i += 32 {
		clear(b[i : i+8])
		clear(b[i+18 : i+24])
	}
	return hex.EncodeToString(b)
}

// look looks the namespace up, which a format has made necessary.
func look(c *nvme.Controller) *nvme.Namespace {
	inner := c.Transport().(*capture)
	n, err := c.Namespace(context.Background(), 1)
	if err != nil {
		panic(fmt.Sprintf("%v from %v", err, inner.pages))
	}
	return n
}
