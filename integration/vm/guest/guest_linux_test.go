package guest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/vm"
	"github.com/drivebay/drivebay/integration/vm/guest"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

// modeEnv makes the test binary a program for a guest.
const modeEnv = "DRIVEBAY_GUEST_TEST"

func TestMain(m *testing.M) {
	guest.Main()
	switch os.Getenv(modeEnv) {
	case "report":
		report()
	case "crash":
		crash()
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		time.Sleep(time.Minute)
	case "flood":
		flood()
	case "exit":
		os.Exit(7)
	case "sleep":
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

// facts are what a program sees of its guest.
type facts struct {
	Args, Env         []string
	Dir, Stdin        string
	UID, PID1         int
	Release, File     string
	MaxPart, Target   string
	LoopControl, VFAT bool
	Tool, QMP, NoQMP  string
	Mounts            []string
}

// report prints what it sees as JSON, writes files to be collected, leaves an
// orphan and exits with 3.
func report() {
	stdin, _ := io.ReadAll(os.Stdin)
	dir, _ := os.Getwd()
	f := facts{Args: os.Args[1:], Env: os.Environ(), Dir: dir, Stdin: string(stdin), UID: os.Geteuid()}
	f.Release = read("/proc/sys/kernel/osrelease")
	f.File = read("testdata/input")
	f.MaxPart = read("/sys/module/loop/parameters/max_part")
	f.Target, _ = os.Readlink("testdata/link")
	_, err := os.Stat("/dev/loop-control")
	f.LoopControl = err == nil
	// By the kernel's own request of fs-vfat, and of what that needs.
	err = syscall.Mount("none", "/mnt", "vfat", 0, "")
	f.VFAT = err != nil && strings.Contains(read("/proc/filesystems"), "vfat")
	tool, _ := exec.Command("blkid", "-V").CombinedOutput()
	f.Tool = string(tool)
	answer, err := guest.Host("query-status", nil)
	if err == nil {
		f.QMP = string(answer)
	}
	if _, err = guest.Host("no-such-command", nil); err != nil {
		f.NoQMP = err.Error()
	}
	if b, err := os.ReadFile("/mnt/scratch/hello"); err == nil {
		f.Mounts = append(f.Mounts, string(b))
	}
	_ = os.WriteFile("out/new", bytes.Repeat([]byte("new\n"), 5000), 0o640)
	_ = os.WriteFile("out/elsewhere", nil, 0o644)
	fmt.Fprintln(os.Stderr, "on stderr")
	_ = json.NewEncoder(os.Stdout).Encode(f)
	os.Exit(3)
}

// flood writes what fills two pipes, and init's hands, ends at once, and leaves
// somebody behind who has its output open.
func flood() {
	left := exec.Command("/bin/sleep", "600")
	left.Stdout, left.Stderr = os.Stdout, os.Stderr
	if err := left.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	var written sync.WaitGroup
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		written.Go(func() { _, _ = f.WriteString(flooded) })
	}
	written.Wait()
	os.Exit(0)
}

var flooded = strings.Repeat("0123456789abcde\n", 7500) // 120,000 bytes

func read(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}

// crash writes more to the console than is kept of it, in lines that are longer than
// a terminal's, and panics the kernel.
func crash() {
	_ = os.WriteFile("/dev/console", []byte(strings.Repeat(strings.Repeat("noise ", 1000)+"\n", 60)), 0)
	_ = os.WriteFile("/proc/sys/kernel/sysrq", []byte("1"), 0)
	_ = os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
	time.Sleep(time.Minute)
}

// program returns the test binary in a mode, for the oldest kernel.
func program(t *testing.T, mode string) guest.Program {
	return programOn(t, kernel.Packages()[0], mode)
}

func programOn(t *testing.T, p kernel.Package, mode string) guest.Program {
	fixture.RequireTool(t, "qemu-system-x86_64", "apt-get", "dpkg-deb")
	k, err := kernel.Fetch(t.Context(), p)
	require.NoError(t, err)
	exe, err := os.Executable()
	require.NoError(t, err)
	return guest.Program{Path: exe, Dir: "/", Env: []string{modeEnv + "=" + mode}, Kernel: k}
}

// TestProgramSeesWhatItWasGiven does all that a guest can do in one boot of each
// kernel.
func TestProgramSeesWhatItWasGiven(t *testing.T) {
	fixture.RequireTool(t, "blkid")
	for _, p := range kernel.Packages() {
		t.Run(p.Name, func(t *testing.T) { seesWhatItWasGiven(t, programOn(t, p, "report")) })
	}
}

func seesWhatItWasGiven(t *testing.T, p guest.Program) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "testdata"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "out"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "testdata", "input"), []byte("content"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "out", "old"), []byte("old"), 0o600))
	require.NoError(t, os.Symlink("input", filepath.Join(dir, "testdata", "link")))

	p.Args = []string{"-flag", "two words", "späte"}
	p.Env = append(p.Env, "NAME=a value", "PATH=/usr/sbin:/usr/bin")
	p.Dir = dir
	p.Files = []string{filepath.Join(dir, "testdata")}
	p.Modules = []string{"loop max_part=15"}
	p.OnDemand = []string{"vfat", "no_such_module"}
	p.Tools = []string{"blkid"}
	p.Collect = []string{filepath.Join(dir, "out"), filepath.Join(dir, "missing")}
	input := strings.Repeat("0123456789abcdef", 4096) // more than a tty's buffers
	var stdout, stderr bytes.Buffer
	status, err := guest.Run(t.Context(), vm.Machine{}, p, guest.Streams{
		Stdin: strings.NewReader(input), Stdout: &stdout, Stderr: &stderr,
	})
	require.NoError(t, err)
	t.Logf("packed in %v, booted in %v", status.Packed, status.Booted)
	require.Equal(t, 3, status.Code)
	require.Zero(t, status.Signal)
	require.Equal(t, "on stderr\n", stderr.String())

	var got facts
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &got), "%s", &stdout)
	require.Equal(t, input, got.Stdin)
	require.Regexp(t, `^blkid from util-linux `, got.Tool)
	require.Contains(t, got.QMP, `"status":"running"`)
	require.Contains(t, got.NoQMP, "CommandNotFound")
	got.Stdin, got.Tool, got.QMP, got.NoQMP = "", "", "", ""
	require.Equal(t, facts{
		Args: p.Args, Env: p.Env, Dir: dir, Release: p.Kernel.Release, File: "content", Target: "input",
		MaxPart: "15", LoopControl: true, VFAT: true,
	}, got)

	var names []string
	entries, err := os.ReadDir(filepath.Join(dir, "out"))
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		names = append(names, fmt.Sprintf("%v %d %s", info.Mode(), info.Size(), e.Name()))
	}
	require.Equal(t, []string{"-rw-r--r-- 0 elsewhere", "-rw-r----- 20000 new", "-rw------- 3 old"}, names)
}

// TestPanic has the kernel die while the program runs, with its console full.
func TestPanic(t *testing.T) {
	_, err := guest.Run(t.Context(), vm.Machine{}, program(t, "crash"), guest.Streams{})
	require.ErrorIs(t, err, guest.ErrDied)
	var panicked *vm.PanicError
	require.ErrorAs(t, err, &panicked)
	require.Equal(t, "sysrq triggered crash", panicked.Reason)
	var console *guest.ConsoleError
	require.ErrorAs(t, err, &console)
	require.Contains(t, console.Console, "Kernel panic - not syncing")
	require.LessOrEqual(t, len(console.Console), 16<<10, "no more than one reads")
}

// unread is an input without an end, of which no more is taken when a pipe is full.
type unread struct{ idle *time.Timer }

func (u unread) Read(p []byte) (int, error) {
	u.idle.Reset(2 * time.Second)
	return len(p), nil
}

// TestSignal passes a signal on to a program that does not read its input.
func TestSignal(t *testing.T) {
	signals := make(chan os.Signal, 1)
	idle := time.AfterFunc(time.Hour, func() { signals <- syscall.SIGTERM })
	defer idle.Stop()
	status, err := guest.Run(t.Context(), vm.Machine{}, program(t, "sleep"), guest.Streams{Stdin: unread{idle}, Signals: signals})
	require.NoError(t, err)
	require.Equal(t, 128+15, status.Code)
	require.Equal(t, 15, status.Signal)
}

// TestSignalAtBoot has one come before there is a program.
func TestSignalAtBoot(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signals <- os.Interrupt
	status, err := guest.Run(t.Context(), vm.Machine{}, program(t, "sleep"), guest.Streams{Signals: signals})
	require.NoError(t, err)
	require.Equal(t, 128+2, status.Code)
	require.Equal(t, 2, status.Signal)
}

// TestStuck has a program that does not end: in time, or by signals.
func TestStuck(t *testing.T) {
	p := program(t, "stubborn")
	signals := make(chan os.Signal, 3)
	ready := writer(func([]byte) {
		for range 3 {
			signals <- syscall.SIGTERM
		}
	})
	_, err := guest.Run(t.Context(), vm.Machine{}, p, guest.Streams{Stdout: ready, Signals: signals})
	require.ErrorIs(t, err, guest.ErrStuck)
	require.ErrorContains(t, err, "the guest is stuck: its program has not ended by 3 signals; the guest's console")

	p.Limit = time.Millisecond
	_, err = guest.Run(t.Context(), vm.Machine{}, p, guest.Streams{})
	require.ErrorIs(t, err, guest.ErrStuck)
	require.ErrorContains(t, err, "the guest is stuck: its program has not ended in 1ms; the guest's console")
}

// TestSlowHost takes no output for longer than init waits for those that a program
// leaves behind: all that the program itself wrote arrives.
func TestSlowHost(t *testing.T) {
	p := program(t, "flood")
	p.Tools = []string{"/bin/sleep"}
	var stdout, stderr bytes.Buffer
	slow := writer(func(b []byte) {
		if stdout.Len() == 0 {
			time.Sleep(7 * time.Second) // what init does meanwhile, nothing here can see
		}
		stdout.Write(b)
	})
	status, err := guest.Run(t.Context(), vm.Machine{}, p, guest.Streams{Stdout: slow, Stderr: &stderr})
	require.NoError(t, err)
	require.Zero(t, status.Code)
	require.Equal(t, flooded, stdout.String())
	require.Equal(t, flooded, stderr.String())
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

// TestHangAtBoot gives a guest no time to boot in: it is started twice.
func TestHangAtBoot(t *testing.T) {
	guest.SetBootLimit(t, 10*time.Millisecond)
	_, err := guest.Run(t.Context(), vm.Machine{Accelerator: vm.TCG}, program(t, "sleep"), guest.Streams{})
	require.ErrorIs(t, err, guest.ErrBoot)
	require.ErrorContains(t, err, "the guest has not booted in 10ms; the guest's console")
}

// TestKVMThatDoesNotBoot has a QEMU that refuses KVM, and one whose processor stands
// still under it: the machine is started with TCG, and the next one tries KVM no
// more.
func TestKVMThatDoesNotBoot(t *testing.T) {
	p := program(t, "exit")
	for name, underKVM := range map[string]string{
		"refused": `echo "failed to initialize kvm" >&2; exit 1`,
		"stands still": `for arg; do
	shift
	case "$arg" in kvm) arg=tcg ;; host) arg=max ;; esac
	set -- "$@" "$arg"
done
exec qemu-system-x86_64 "$@" -S`,
	} {
		t.Run(name, func(t *testing.T) {
			qemu := filepath.Join(t.TempDir(), "qemu")
			require.NoError(t, os.WriteFile(qemu, []byte(`#!/bin/sh
case "$*" in
*"-accel kvm -cpu host"*) echo kvm >>"$0.log" ;;
*) echo tcg >>"$0.log"; exec qemu-system-x86_64 "$@" ;;
esac
`+underKVM+"\n"), 0o755))
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			guest.SetKVM(t, time.Second)
			for range 2 {
				status, err := guest.Run(t.Context(), vm.Machine{QEMU: qemu}, p, guest.Streams{})
				require.NoError(t, err)
				require.Equal(t, 7, status.Code)
			}
			require.Equal(t, "kvm\ntcg\ntcg", read(qemu+".log"))
		})
	}
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := guest.Run(ctx, vm.Machine{}, program(t, "sleep"), guest.Streams{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755))
	arm := filepath.Join(dir, "arm")
	build := exec.Command("go", "build", "-o", arm, "./testdata/hello.go")
	build.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	with := func(change func(*guest.Program)) guest.Program {
		p := program(t, "")
		change(&p)
		return p
	}
	for want, p := range map[string]guest.Program{
		"pack guest: program " + script + ": it is no ELF executable":                                                                  with(func(p *guest.Program) { p.Path = script }),
		"pack guest: program " + arm + ": it is for EM_AARCH64, the guest is amd64 with Linux: build it with GOOS=linux GOARCH=amd64":  with(func(p *guest.Program) { p.Path = arm }),
		"pack guest: program /missing: it cannot be read: open /missing: no such file or directory":                                    with(func(p *guest.Program) { p.Path = "/missing" }),
		`pack guest: program no-such: it is not on this machine: exec: "/sbin/no-such": stat /sbin/no-such: no such file or directory`: with(func(p *guest.Program) { p.Tools = []string{"no-such"} }),
		"pack guest: kernel " + program(t, "").Kernel.Release + " has no module 9p: its configuration says CONFIG_9P_FS is not set":    with(func(p *guest.Program) { p.Modules = []string{"9p"} }),
	} {
		_, err := guest.Run(t.Context(), vm.Machine{}, p, guest.Streams{})
		require.EqualError(t, err, want)
	}
	_, err = guest.Run(t.Context(), vm.Machine{Memory: 32 << 20}, program(t, ""), guest.Streams{})
	require.ErrorIs(t, err, guest.ErrMemory)
	require.Regexp(t, `^pack guest: too little memory: the machine has 32 MiB, a kernel with an initramfs of \d+ MiB wants \d+ MiB$`, err.Error())
}

// TestLibraries lets the dynamic loader judge.
func TestLibraries(t *testing.T) {
	for _, name := range []string{"sfdisk", "mke2fs", "nvme"} {
		path := fixture.RequireTool(t, name)
		out, err := exec.Command(fixture.RequireTool(t, "ldd"), path).Output()
		require.NoError(t, err)
		var want []string
		for line := range strings.Lines(string(out)) {
			for _, word := range strings.Fields(line) {
				if strings.HasPrefix(word, "/") {
					want = append(want, realPath(t, word))
				}
			}
		}
		got, err := guest.Libraries(path)
		require.NoError(t, err)
		for i := range got {
			got[i] = realPath(t, got[i])
		}
		slices.Sort(want)
		slices.Sort(got)
		require.Equal(t, want, slices.Compact(got), name)
	}
}

func realPath(t *testing.T, path string) string {
	path, err := filepath.EvalSymlinks(path)
	require.NoError(t, err)
	return path
}
