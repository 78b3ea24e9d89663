package fabrics

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/tcptarget"
)

// cli runs nvme-cli and returns what it prints, to whichever stream.
func cli(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, fixture.RequireTool(t, "nvme"), args...).CombinedOutput()
	return string(out), err
}

// page returns what nvme-cli prints of a page, as JSON.
func page(t *testing.T, args ...string) map[string]any {
	t.Helper()
	out, err := exec.Command(fixture.RequireTool(t, "nvme"), append(args, "-o", "json")...).Output()
	require.NoError(t, err, "%v", args)
	return parse(t, out[max(bytes.IndexByte(out, '{'), 0):])
}

func parse(t *testing.T, b []byte) (v map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	require.NoError(t, d.Decode(&v), "%s", b)
	return v
}

// differences compares what nvme-cli has with ours, member by member.
func differences(path string, ours, theirs any) (all []string) {
	switch theirs := theirs.(type) {
	case map[string]any:
		o, _ := ours.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(theirs)) {
			all = append(all, differences(path+"."+name, o[name], theirs[name])...)
		}
	case []any:
		o, _ := ours.([]any)
		if len(o) < len(theirs) {
			return []string{fmt.Sprintf("%s has %d members, want %d", path, len(o), len(theirs))}
		}
		for i := range theirs {
			all = append(all, differences(fmt.Sprintf("%s[%d]", path, i), o[i], theirs[i])...)
		}
	default:
		if o, want := strings.TrimSpace(fmt.Sprint(ours)), strings.TrimSpace(fmt.Sprint(theirs)); o != want {
			all = append(all, fmt.Sprintf("%s is %s, want %s", path, o, want))
		}
	}
	return all
}

func requireSame(t *testing.T, ours any, err error, theirs map[string]any) {
	t.Helper()
	require.NoError(t, err)
	b, err := json.Marshal(ours)
	require.NoError(t, err)
	require.Empty(t, differences("", parse(t, b), theirs))
}

// TestPages lets nvme-cli and package nvme read the same pages through the kernel.
func TestPages(t *testing.T) {
	for _, p := range []nvmetest.Profile{nvmetest.Consumer(), nvmetest.Enterprise()} {
		t.Run(p.Name, func(t *testing.T) {
			d := fixture.KernelNVMe(t, p)
			ctx, path := t.Context(), d.Attached.Node()
			id, err := d.Identify(ctx)
			requireSame(t, id, err, page(t, "id-ctrl", path))
			ns, err := d.IdentifyNamespace(ctx, 1)
			requireSame(t, ns, err, page(t, "id-ns", path, "-n", "1"))
			smart, err := d.SMARTLog(ctx)
			theirs := page(t, "smart-log", path)
			for _, moves := range []string{"data_units_read", "host_read_commands", "controller_busy_time"} {
				delete(theirs, moves)
			}
			requireSame(t, smart, err, theirs)
			sanitize, err := d.SanitizeLog(ctx)
			require.NoError(t, err)
			for _, theirs := range page(t, "sanitize-log", path) { // by the device's name
				text := fmt.Sprint(theirs)
				require.Contains(t, text, "sprog:"+fmt.Sprint(sanitize.Progress))
			}
		})
	}
}

// A step of a session with nvme-cli: a command line, with the device after the
// command, and what it has to print.
type step struct {
	args  string
	want  []string
	fails bool
	then  time.Duration // lets the drive's time pass afterwards
}

func TestSessions(t *testing.T) {
	dir := t.TempDir()
	image, bad := filepath.Join(dir, "image"), filepath.Join(dir, "bad")
	require.NoError(t, os.WriteFile(image, nvmetest.Firmware{Revision: "3.0.0"}.Image(), 0o600))
	require.NoError(t, os.WriteFile(bad, make([]byte, 8192), 0o600))
	for name, steps := range map[string][]step{
		"firmware": {
			{args: "fw-download -f " + bad + " -x 4096", want: []string{"success"}},
			{args: "fw-commit -s 3 -a 1", want: []string{"(0x6107)"}, fails: true},
			{args: "fw-download -f " + image + " -x 16384", want: []string{"success"}},
			{args: "fw-commit -s 1 -a 1", want: []string{"(0x6106)"}, fails: true},
			{args: "fw-commit -s 3 -a 1", want: []string{"Success committing firmware action:1 slot:3"}},
			{args: "fw-log", want: []string{"afi  : 0x32", "3.0.0"}},
			{args: "reset"},
			{args: "fw-log", want: []string{"afi  : 0x3", "3.0.0"}},
			{args: "id-ctrl", want: []string{"fr        : 3.0.0"}},
			{args: "fw-commit -s 2 -a 3", want: []string{"Success"}, then: 10 * time.Second},
			{args: "id-ctrl", want: []string{"fr        : 2.0.0"}},
		},
		"format": {
			{args: "format -n 1 -l 11 --force", want: []string{"(0x610a)"}, fails: true},
			{args: "format -n 1 -l 5 --force", want: []string{"Success formatting namespace:1"}},
			{args: "id-ns -n 1", want: []string{"nsze    : 0x20000", "lbaf  5 : ms:0   lbads:12 rp:0 (in use)"}},
		},
		"sanitize": {
			{args: "sanitize -a 2"},
			{args: "sanitize-log", want: []string{"(SPROG) :  0"}, then: 5 * time.Minute},
			{args: "sanitize-log", want: []string{"(SPROG) :  32768"}},
			{args: "fw-log", want: []string{"(0x201d)"}, fails: true, then: 5 * time.Minute},
			{args: "sanitize-log", want: []string{"(SPROG) :  65535"}},
		},
		"self-test": {
			{args: "device-self-test -n 1 -s 1", want: []string{"Short Device self-test started"}, then: 30 * time.Second},
			{args: "self-test-log", want: []string{"Current operation  : 0x1", "Current Completion : 25%"}},
			{args: "device-self-test -n 1 -s 1", want: []string{"(0x611d)"}, fails: true},
			{args: "device-self-test -n 1 -s 15", want: []string{"Aborting device self-test operation"}},
			{args: "self-test-log", want: []string{"Operation Result             : 0x1", "Self Test Code               : 1"}},
		},
		"features": {
			{args: "set-feature -f 4 -v 0x150", want: []string{"set-feature:0x04", "value:0x00000150"}},
			{args: "get-feature -f 4", want: []string{"0x00000150"}},
			{args: "get-feature -f 0x77", want: []string{"(0x6002)"}, fails: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fixture.RequireKernelNVMe(t)
			quiet(t)
			d := fixture.KernelNVMe(t, nvmetest.Enterprise(), func(p *nvmetest.Profile) { p.FormatTime = 30 * time.Second })
			for _, s := range steps {
				args := strings.Fields(s.args)
				out, err := cli(t, append([]string{args[0], d.Attached.Node()}, args[1:]...)...)
				require.Equal(t, s.fails, err != nil, "nvme %s: %v\n%s", s.args, err, out)
				for _, want := range s.want {
					require.Contains(t, out, want, "nvme %s", s.args)
				}
				d.Emulated.Advance(s.then)
			}
		})
	}
}

// quiet fails the test if the kernel warns of a drive from now on to its end. That
// it resets one when told to is a warning to it as well.
func quiet(t *testing.T) {
	t.Helper()
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	_, err = unix.Seek(fd, 0, unix.SEEK_END)
	require.NoError(t, err)
	t.Cleanup(func() {
		defer unix.Close(fd)
		b := make([]byte, 8192)
		for {
			n, err := unix.Read(fd, b)
			if err != nil || n <= 0 {
				require.ErrorIs(t, err, unix.EAGAIN)
				return
			}
			line, _, _ := strings.Cut(string(b[:n]), "\n")
			level, _, _ := strings.Cut(line, ",")
			if v, err := strconv.Atoi(level); err == nil && v&7 <= 4 && strings.Contains(line, "nvme") && !strings.HasSuffix(line, ": resetting controller") {
				t.Errorf("the kernel warns: %s", line)
			}
		}
	})
}

const hostNQN = "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-4333-8444-555555555555"

// TestDiscoverConnectDisconnect does by nvme-cli what Attach does.
func TestDiscoverConnectDisconnect(t *testing.T) {
	fixture.RequireKernelNVMe(t)
	drive, err := nvmetest.New(nvmetest.Consumer())
	require.NoError(t, err)
	target, err := tcptarget.Listen(t.Context(), drive, tcptarget.Options{HostNQN: hostNQN, NQN: "nqn.2014-08.org.nvmexpress:drivebay-discovered"})
	require.NoError(t, err)
	defer target.Close()
	where := []string{"-t", "tcp", "-a", "127.0.0.1", "-s", strconv.Itoa(target.Addr().Port), "--hostnqn=" + hostNQN,
		"--hostid=11111111-2222-4333-8444-555555555555"}

	out, err := cli(t, append([]string{"discover"}, where...)...)
	require.NoError(t, err, "%s", out)
	for _, want := range []string{"trtype:  tcp", "adrfam:  ipv4", "subtype: nvme subsystem", "subnqn:  " + target.NQN(), "traddr:  127.0.0.1"} {
		require.Contains(t, out, want)
	}
	out, err = cli(t, append([]string{"connect", "-n", target.NQN(), "-c", "1", "-l", "2"}, where...)...)
	require.NoError(t, err, "%s", out)
	inventory, err := nvme.Discover()
	require.NoError(t, err)
	s, err := inventory.BySerial(nvmetest.SerialNumber)
	require.NoError(t, err)
	require.Equal(t, target.NQN(), s.NQN)
	out, err = cli(t, "disconnect", "-n", target.NQN())
	require.NoError(t, err, "%s", out)
	require.Contains(t, out, "disconnected 1 controller(s)")

	other := slices.Clone(where)
	other[6] = "--hostnqn=" + hostNQN[:len(hostNQN)-1] + "6"
	out, err = cli(t, append([]string{"connect", "-n", target.NQN()}, other...)...)
	require.Error(t, err, "%s", out)
}

// TestReadDuringSanitize is what a file's reader sees.
func TestReadDuringSanitize(t *testing.T) {
	d := fixture.KernelNVMe(t, nvmetest.Consumer())
	node, err := d.Attached.NamespaceNode(1)
	require.NoError(t, err)
	require.NoError(t, d.Sanitize(t.Context(), nvme.SanitizeOptions{Action: nvme.BlockErase}))
	f, err := os.Open(node)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, 4096)
	_, err = f.ReadAt(b, 64<<20)
	require.ErrorIs(t, err, unix.EIO)
	d.Emulated.Advance(time.Hour)
	_, err = f.ReadAt(b, 64<<20)
	require.NoError(t, err)
}

// TestFileSystem keeps a file system on the drive, which survives a connection
// that is lost under it.
func TestFileSystem(t *testing.T) {
	d := fixture.KernelNVMe(t, nvmetest.Consumer(), func(p *nvmetest.Profile) {
		p.Namespaces = []nvmetest.NamespaceConfig{{Blocks: 64 << 20 / 512}}
	})
	fixture.RequireFS(t, "ext4")
	node, err := d.Attached.NamespaceNode(1)
	require.NoError(t, err)
	out, err := exec.Command(fixture.RequireTool(t, "mkfs.ext4"), "-q", node).CombinedOutput()
	require.NoError(t, err, "%s", out)
	dir := t.TempDir()
	require.NoError(t, unix.Mount(node, dir, "ext4", 0, ""))
	mounted := true
	defer func() {
		if mounted {
			_ = unix.Unmount(dir, unix.MNT_DETACH)
		}
	}()
	want := bytes.Repeat([]byte("drivebay"), 64<<10)
	for i := range 16 {
		if i == 8 {
			d.Attached.Target.Drop()
		}
		f, err := os.Create(filepath.Join(dir, strconv.Itoa(i)))
		require.NoError(t, err)
		_, err = f.Write(want)
		require.NoError(t, err)
		require.NoError(t, f.Sync())
		require.NoError(t, f.Close())
	}
	require.NoError(t, unix.Unmount(dir, 0))
	mounted = false
	out, err = exec.Command(fixture.RequireTool(t, "e2fsck"), "-fn", node).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, unix.Mount(node, dir, "ext4", unix.MS_RDONLY, ""))
	mounted = true
	for i := range 16 {
		got, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(i)))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "file %d", i)
	}
}
