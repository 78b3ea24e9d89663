package nvmetest_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// nvmeCLI is nvme-cli with an emulated drive before it.
type nvmeCLI struct {
	drive             *nvmetest.Drive
	program           string
	device, namespace string // nodes of the controller, and of namespace 1
	env               []string
	ready             func() // waits until the controller takes commands
}

// inProcess gives nvme-cli a drive of this process for its device; see
// testdata/bridge.c.
func inProcess(t *testing.T, d *nvmetest.Drive) *nvmeCLI {
	t.Helper()
	gcc := fixture.RequireTool(t, "gcc")
	dir, err := os.MkdirTemp("", "nvmetest") // shorter than t.TempDir: a socket's path has 107 bytes
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	library, socket := filepath.Join(dir, "bridge.so"), filepath.Join(dir, "socket")
	cli := &nvmeCLI{drive: d, program: fixture.RequireTool(t, "nvme"), device: os.DevNull, namespace: os.DevNull,
		env: []string{"LD_PRELOAD=" + library, "NVMETEST_SOCKET=" + socket}, ready: func() {}}
	out, err := exec.Command(gcc, "-shared", "-fPIC", "-O1", "-o", library, "testdata/bridge.c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = serve(t.Context(), conn, d)
			_ = conn.Close()
		}
	}()
	return cli
}

// serve answers one ioctl.
func serve(ctx context.Context, conn io.ReadWriter, d *nvmetest.Drive) error {
	var q [16]uint32
	if err := binary.Read(conn, binary.LittleEndian, &q); err != nil {
		return err
	}
	cmd := nvme.Command{Queue: nvme.Queue(q[0] & 1), Opcode: nvme.Opcode(q[1]), NSID: q[2], CDW2: q[3], CDW3: q[4], CDW10: q[5],
		CDW11: q[6], CDW12: q[7], CDW13: q[8], CDW14: q[9], CDW15: q[10], Data: make([]byte, q[11]), Metadata: make([]byte, q[12]),
		Timeout: time.Duration(q[13]) * time.Millisecond}
	var done nvme.Completion
	var err error
	if op := map[uint32]nvme.Operation{2: nvme.ResetController, 3: nvme.ResetSubsystem, 4: nvme.RescanNamespaces}[q[0]]; op != 0 {
		err = d.Operate(ctx, op)
	} else {
		if cmd.Opcode.Direction()&nvme.ToController != 0 {
			if _, err := io.ReadFull(conn, cmd.Data); err != nil {
				return err
			}
			if _, err := io.ReadFull(conn, cmd.Metadata); err != nil {
				return err
			}
		}
		done, err = d.Submit(ctx, cmd)
	}
	answer := [4]int32{int32(done.Status), int32(done.Result), int32(done.Result >> 32)}
	switch {
	case errors.Is(err, nvme.ErrExpired):
		answer[0] = -4 // EINTR
	case err != nil:
		answer[0] = -22 // EINVAL
	}
	if err := binary.Write(conn, binary.LittleEndian, answer); err != nil {
		return err
	}
	if answer[0] == 0 && cmd.Opcode.Direction()&nvme.FromController != 0 {
		if _, err := conn.Write(append(cmd.Data, cmd.Metadata...)); err != nil {
			return err
		}
	}
	return nil
}

// viaKernel gives nvme-cli a drive that the kernel has.
func viaKernel(t *testing.T, options ...fixture.NVMeOption) *nvmeCLI {
	t.Helper()
	d := fixture.NVMe(t, append(options, fixture.ViaKernel())...)
	namespace, err := d.Attached.NamespaceNode(1)
	require.NoError(t, err)
	live := func() {
		require.Eventually(t, func() bool {
			state, err := os.ReadFile("/sys/class/nvme/" + d.Attached.Name() + "/state")
			return err == nil && string(state) == "live\n"
		}, 2*time.Minute, 5*time.Millisecond)
	}
	return &nvmeCLI{drive: d.Emulated, program: fixture.RequireTool(t, "nvme"), device: d.Attached.Node(), namespace: namespace, ready: live}
}

// run runs nvme-cli and returns what it prints, to whichever stream.
func (c *nvmeCLI) run(t *testing.T, device string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.program, append([]string{args[0], device}, args[1:]...)...)
	cmd.Env = append(os.Environ(), c.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A session is a series of steps, each with a command line of nvme-cli, to which the
// device is added after the command, and with what it has to print.
type session struct {
	name  string
	io    bool // it reads or writes, and wants the device of namespace 1
	steps []step
}

type step struct {
	args  string
	want  []string
	fails bool
	then  time.Duration // lets time pass afterwards
}

// nvme-cli works on the emulated drive as on any: what it prints is by its own
// understanding of the specification.
func TestNVMeCLI(t *testing.T) {
	for _, s := range sessions(t) {
		t.Run(s.name, func(t *testing.T) {
			s.run(t, inProcess(t, newDrive(t, nvmetest.Enterprise(), formatSoon)))
		})
	}
}

// TestKernelNVMeCLI holds the same sessions through the kernel's driver.
func TestKernelNVMeCLI(t *testing.T) {
	fixture.RequireKernelNVMe(t)
	for _, s := range sessions(t) {
		t.Run(s.name, func(t *testing.T) {
			s.run(t, viaKernel(t, fixture.DriveProfile(nvmetest.Enterprise(), formatSoon)))
		})
	}
}

// formatSoon keeps formats below a minute: nvme-cli 2.3 leaves them to the kernel's
// timeout, whatever it is told.
func formatSoon(p *nvmetest.Profile) { p.FormatTime = 30 * time.Second }

func (s *session) run(t *testing.T, cli *nvmeCLI) {
	device := cli.device
	if s.io {
		device = cli.namespace
	}
	for _, step := range s.steps {
		cli.ready()
		out, err := cli.run(t, device, strings.Fields(step.args)...)
		require.Equal(t, step.fails, err != nil, "nvme %s: %v\n%s", step.args, err, out)
		for _, want := range step.want {
			require.Contains(t, out, want, "nvme %s", step.args)
		}
		cli.drive.Advance(step.then)
	}
}

// sessions are those with a drive of the profile Enterprise, of which each wants a
// new one.
func sessions(t *testing.T) []session {
	t.Helper()
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	require.NoError(t, os.WriteFile(image, nvmetest.Firmware{Revision: "3.0.0"}.Image(), 0o600))
	bad := filepath.Join(dir, "bad")
	require.NoError(t, os.WriteFile(bad, make([]byte, 8192), 0o600))
	block := filepath.Join(dir, "block")
	require.NoError(t, os.WriteFile(block, bytes.Repeat([]byte("data"), 128), 0o600))
	return []session{
		{name: "identify", steps: []step{
			{args: "id-ctrl", want: []string{"sn        : DRIVEBAY0001", "mn        : Drivebay Enterprise", "fr        : 2.0.0", "ver       : 0x20000", "cntlid    : 0x1", "nn        : 32"}},
			{args: "id-ns -n 1", want: []string{"nsze    : 0x100000", "nlbaf   : 9", "(in use)"}},
			{args: "id-ns -n 40", want: []string{"(0x600b)"}, fails: true},
			{args: "list-ns", want: []string{"[   0]:0x1", "[   1]:0x2"}},
			{args: "list-ctrl", want: []string{"[   0]:0x1", "[   1]:0x2"}},
			{args: "ns-descs -n 1", want: []string{"uuid", "eui64", "nguid", "csi"}},
			{args: "nvm-id-ctrl", want: []string{"vsl    : 9"}},
			{args: "cmdset-ind-id-ns -n 1", want: []string{"nstat   : 0x1"}},
			{args: "id-nvmset", want: []string{"nvmset_id               : 1"}},
		}},
		{name: "logs", steps: []step{
			{args: "smart-log", want: []string{"temperature", "38", "available_spare", "100%"}},
			{args: "fw-log", want: []string{"afi  : 0x2", "frs1", "GOLDEN", "frs2", "2.0.0"}},
			{args: "error-log -e 4", want: []string{"entries:4"}},
			{args: "supported-log-pages", want: []string{"LID 0x2", "LID 0x81"}},
			{args: "fid-support-effects-log", want: []string{"FID 02 -> Support Effects Log: 00200001"}},
			{args: "endurance-log -g 1", want: []string{"avl_spare", "100"}},
			{args: "changed-ns-list-log", want: nil},
			{args: "persistent-event-log -a 1 -l 512", want: []string{"DRIVEBAY0001"}},
			{args: "persistent-event-log -a 2", want: nil},
			{args: "telemetry-log -o " + filepath.Join(dir, "telemetry"), want: nil},
			{args: "get-log -i 0xc5 -l 512", want: []string{"(0x6109)"}, fails: true},
		}},
		{name: "firmware", steps: []step{
			{args: "fw-download -f " + bad + " -x 4096", want: []string{"success"}},
			{args: "fw-commit -s 3 -a 1", want: []string{"(0x6107)"}, fails: true},
			{args: "fw-download -f " + image + " -x 4096", want: []string{"success"}},
			{args: "fw-download -f " + image + " -x 4096", want: []string{"(0x6114)"}, fails: true},
			{args: "fw-commit -s 1 -a 1", want: []string{"(0x6106)"}, fails: true},
			{args: "fw-commit -s 3 -a 1", want: []string{"Success committing firmware action:1 slot:3"}},
			{args: "fw-log", want: []string{"afi  : 0x32", "3.0.0"}},
			{args: "reset"},
			{args: "fw-log", want: []string{"afi  : 0x3", "3.0.0"}},
			{args: "id-ctrl", want: []string{"fr        : 3.0.0"}},
			{args: "fw-commit -s 2 -a 3", want: []string{"Success"}, then: 10 * time.Second},
			{args: "id-ctrl", want: []string{"fr        : 2.0.0"}},
		}},
		{name: "format", steps: []step{
			{args: "format -n 1 -l 11 --force", want: []string{"(0x610a)"}, fails: true},
			{args: "format -n 1 -l 5 --force", want: []string{"Success formatting namespace:1"}},
			{args: "id-ns -n 1", want: []string{"nsze    : 0x20000", "lbaf  5 : ms:0   lbads:12 rp:0 (in use)"}},
		}},
		{name: "sanitize", io: true, steps: []step{
			{args: "sanitize-log -o json", want: []string{`"sprog":65535`, `"global_erased":1`, `(0) NVM Subsystem has never been sanitized`}},
			{args: "sanitize -a 2"},
			{args: "sanitize-log", want: []string{"(SPROG) :  0"}, then: 5 * time.Minute},
			{args: "sanitize-log", want: []string{"(SPROG) :  32768"}},
			{args: "fw-log", want: []string{"(0x201d)"}, fails: true},
			{args: "flush -n 1", want: []string{"(0x201d)"}, fails: true, then: 5 * time.Minute},
			{args: "sanitize-log -o json", want: []string{`"sprog":65535`, `"global_erased":1`, `(1) Most Recent Sanitize Command Completed Successfully`}},
		}},
		{name: "self-test", steps: []step{
			{args: "device-self-test -n 1 -s 1", want: []string{"Short Device self-test started"}, then: 30 * time.Second},
			{args: "self-test-log", want: []string{"Current operation  : 0x1", "Current Completion : 25%"}},
			{args: "device-self-test -n 1 -s 1", want: []string{"(0x611d)"}, fails: true},
			{args: "device-self-test -n 1 -s 15", want: []string{"Aborting device self-test operation"}},
			{args: "self-test-log", want: []string{"Current operation  : 0", "Operation Result             : 0x1", "Self Test Code               : 1"}},
		}},
		{name: "namespaces", steps: []step{
			{args: "create-ns -s 4096 -c 4096 -f 5", want: []string{"create-ns: Success, created nsid:3"}},
			{args: "attach-ns -n 3 -c 1", want: []string{"attach-ns: Success, nsid:3"}},
			{args: "attach-ns -n 3 -c 1", want: []string{"(0x6118)"}, fails: true},
			{args: "list-ns", want: []string{"[   2]:0x3"}},
			{args: "id-ns -n 3", want: []string{"nsze    : 0x1000", "lbads:12 rp:0 (in use)"}},
			{args: "detach-ns -n 3 -c 1", want: []string{"detach-ns: Success, nsid:3"}},
			{args: "delete-ns -n 3", want: []string{"delete-ns: Success, deleted nsid:3"}},
		}},
		{name: "features", steps: []step{
			{args: "get-feature -f 7 -s 1", want: []string{"0x00070007"}},
			{args: "set-feature -f 4 -v 0x150", want: []string{"set-feature:0x04", "value:0x00000150"}},
			{args: "get-feature -f 4", want: []string{"0x00000150"}},
			{args: "get-feature -f 0x0e -l 8"},
			{args: "get-feature -f 0x77", want: []string{"(0x6002)"}, fails: true},
			{args: "set-feature -f 4 -v 0x150 -s", want: []string{"(0x610d)"}, fails: true},
		}},
		{name: "I/O", io: true, steps: []step{
			{args: "write -n 1 -s 8 -c 0 -z 512 -d " + block, want: []string{"write: Success"}},
			{args: "read -n 1 -s 8 -c 0 -z 512", want: []string{"datadatadata", "read: Success"}},
			{args: "compare -n 1 -s 8 -c 0 -z 512 -d " + block, want: []string{"compare: Success"}},
			{args: "compare -n 1 -s 9 -c 0 -z 512 -d " + block, want: []string{"(0x6285)"}, fails: true},
			{args: "copy -n 1 -d 100 -s 8 -b 0", want: []string{"NVMe Copy: success"}},
			{args: "compare -n 1 -s 100 -c 0 -z 512 -d " + block, want: []string{"compare: Success"}},
			{args: "verify -n 1 -s 8 -c 0", want: []string{"NVME Verify Success"}},
			{args: "write-uncor -n 1 -s 8 -c 0", want: []string{"NVME Write Uncorrectable Success"}},
			{args: "read -n 1 -s 8 -c 0 -z 512", want: []string{"(0x2281)"}, fails: true},
			{args: "write-zeroes -n 1 -s 8 -c 0", want: []string{"NVME Write Zeroes Success"}},
			{args: "dsm -n 1 -d -s 100 -b 1", want: []string{"NVMe DSM: success"}},
			{args: "flush -n 1", want: []string{"NVMe Flush: success"}},
			{args: "read -n 1 -s 0x100000 -c 0 -z 512", want: []string{"(0x6080)"}, fails: true},
		}},
		{name: "reservations", io: true, steps: []step{
			{args: "resv-register -n 1 -k 0x1234 -r 0", want: []string{"NVME Reservation  success"}},
			{args: "resv-acquire -n 1 -c 0x1234 -t 1 -a 0", want: []string{"NVME Reservation Acquire success"}},
			{args: "resv-report -n 1", want: []string{"regctl    : 1", "rtype     : 1", "rcsts   : 1", "rkey    : 1234"}},
			{args: "resv-release -n 1 -c 0x1234 -t 1 -a 0", want: []string{"NVME Reservation Release success"}},
			{args: "resv-acquire -n 1 -c 0x99 -t 1 -a 0", want: []string{"(0x6083)"}, fails: true},
		}},
		{name: "directives and security", steps: []step{
			{args: "dir-receive -n 1 -D 0 -O 1 -H", want: []string{"Identify Directive"}},
			{args: "security-recv -p 0 -s 0 -x 512 -t 512", want: nil},
		}},
	}
}
