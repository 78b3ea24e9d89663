package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/vm/guest"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

// asCommandEnv makes the test binary the command itself.
const asCommandEnv = "DRIVEBAY_VMEXEC_TEST"

func TestMain(m *testing.M) {
	guest.Main()
	if os.Getenv(asCommandEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

// result is what a command did.
type result struct {
	status         int
	stdout, stderr string
}

// command runs a program with the test binary as vmexec for whoever executes it.
func command(t *testing.T, dir string, env []string, name string, args ...string) result {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(env, asCommandEnv+"=1", "GOFLAGS=-mod=mod", "GOWORK=off")...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func self(t *testing.T) string {
	exe, err := os.Executable()
	require.NoError(t, err)
	return exe
}

// need brings the kernel that all tests run on.
func need(t *testing.T) {
	fixture.RequireTool(t, "qemu-system-x86_64", "apt-get", "dpkg-deb", "go")
	_, err := kernel.Fetch(t.Context(), kernel.Packages()[0])
	require.NoError(t, err)
}

// goTest runs go test on a copy of the sample package in a guest.
func goTest(t *testing.T, dir string, args ...string) result {
	t.Helper()
	need(t)
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/sample")))
	args = append([]string{"test", "-count=1", "-exec", self(t) + " -kernel 6.1"}, args...)
	return command(t, dir, []string{"SAMPLE=a value"}, "go", args...)
}

func TestJSONAndCoverage(t *testing.T) {
	dir := t.TempDir()
	r := goTest(t, dir, "-json", "-v", "-run", "Pass|Skip|Fail", "-coverprofile=cover.out", "-artifacts", "-outputdir", dir)
	require.Equal(t, 1, r.status, r.stdout+r.stderr)
	got := map[string]string{}
	var output strings.Builder
	for line := range strings.Lines(r.stdout) {
		var e struct{ Action, Test, Output string }
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		if e.Test != "" && e.Action != "output" && e.Action != "run" {
			got[e.Test] += e.Action
		}
		output.WriteString(e.Output)
	}
	require.Equal(t, map[string]string{"TestPass": "artifactspass", "TestSkip": "skip", "TestFail": "fail"}, got, r.stdout)
	require.Contains(t, output.String(), "value: a value\n")

	cover, err := os.ReadFile(filepath.Join(dir, "cover.out"))
	require.NoError(t, err)
	require.Equal(t, `mode: set
example.com/sample/sample.go:5.22,6.11 1 1
example.com/sample/sample.go:6.11,8.3 1 0
example.com/sample/sample.go:9.2,9.10 1 1
`, string(cover))
	var artifacts []string
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "_artifacts"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "artifact" {
			artifacts = append(artifacts, path)
		}
		return err
	}))
	require.Len(t, artifacts, 1)
}

// TestRaceDetector has a dynamic binary, whose libraries are packed.
func TestRaceDetector(t *testing.T) {
	fixture.RequireTool(t, "gcc")
	r := goTest(t, t.TempDir(), "-race", "-v", "-count=2", "-run", "Pass|Race")
	require.Equal(t, 1, r.status, r.stdout+r.stderr)
	require.Contains(t, r.stdout, "WARNING: DATA RACE") // told once, however often it happens
	require.Equal(t, 2, strings.Count(r.stdout, "--- PASS: TestPass"), r.stdout)
}

func TestTimeout(t *testing.T) {
	// Not by go test's own flag: it kills us a minute later, when a busy host may not
	// have booted the guest.
	r := goTest(t, t.TempDir(), "-timeout", "0", "-run", "Slow", "-args", "-test.timeout=1s")
	require.Equal(t, 1, r.status)
	require.Contains(t, r.stdout, "panic: test timed out after 1s")
	require.Contains(t, r.stdout, "sample.waitForever", "goroutines")
}

func TestFuzzCorpus(t *testing.T) {
	dir := t.TempDir()
	r := goTest(t, dir, "-fuzz", "FuzzSign", "-fuzztime", "10m", "-run", "none")
	require.Equal(t, 1, r.status, r.stdout)
	found, err := filepath.Glob(filepath.Join(dir, "testdata/fuzz/FuzzSign/*"))
	require.NoError(t, err)
	require.Len(t, found, 1, r.stdout)
	require.Contains(t, r.stdout, filepath.Base(found[0]))
}

func TestBenchmarkAndProfile(t *testing.T) {
	dir := t.TempDir()
	r := goTest(t, dir, "-run", "none", "-bench", ".", "-benchtime", "100x", "-cpuprofile", "cpu.out")
	require.Equal(t, 0, r.status, r.stdout+r.stderr)
	require.Regexp(t, `BenchmarkSign\s+100\s`, r.stdout)
	top := command(t, dir, nil, "go", "tool", "pprof", "-raw", "cpu.out")
	require.Equal(t, 0, top.status, top.stderr)
}

// TestAnyProgram runs programs that are no tests, and passes on how they end.
func TestAnyProgram(t *testing.T) {
	need(t)
	r := command(t, t.TempDir(), nil, self(t), "-kernel", "6.1", "-tool", "cat", "-nvme", "size=8M,block=4096", "--",
		"/bin/sh", "-c", "cat /sys/block/nvme0n1/queue/logical_block_size /sys/block/nvme0n1/size; exit 7")
	require.Equal(t, result{7, "4096\n16384\n", ""}, r)
}

func TestPrint(t *testing.T) {
	need(t)
	r := command(t, ".", nil, self(t), "-kernel", "6.1", "-print", "-accel", "tcg", "-memory", "256M", "-cpus", "2", "-append", "a=1 b", "--", self(t))
	require.Equal(t, 0, r.status, r.stderr)
	require.Regexp(t, `^qemu-system-x86_64 .* -smp 2 -m 256M .* -accel tcg,thread=multi .* a=1 b' `, r.stdout)
}

// TestForeign runs the tests of another architecture, which their binary names.
func TestForeign(t *testing.T) {
	need(t)
	fixture.RequireTool(t, "qemu-system-aarch64")
	for _, p := range kernel.Foreign() {
		_, err := kernel.Fetch(t.Context(), p)
		require.NoError(t, err)
	}
	dir := t.TempDir()
	vmexec := filepath.Join(dir, "vmexec")
	goTool(t, ".", "build", "-o", vmexec, ".")
	test := func() result {
		return command(t, "testdata/sample", []string{"GOARCH=arm64"}, "go", "test", "-count=1", "-v", "-run", "Pass", "-exec",
			vmexec+" -v -scratch 16M -nvme size=8M,block=4096,hotplug=true", ".")
	}
	r := test()
	require.Equal(t, 1, r.status, r.stdout)
	init := vmexec + "-arm64"
	require.Contains(t, r.stdout+r.stderr, "vmexec: guests of arm64 want an init of theirs, at "+init+": build it with GOARCH=arm64 CGO_ENABLED=0 go build -o "+init+" ")

	t.Setenv("GOARCH", "arm64")
	goTool(t, ".", "build", "-o", init, ".")
	r = test()
	require.Equal(t, 0, r.status, r.stdout+r.stderr)
	require.Contains(t, r.stdout+r.stderr, "--- PASS: TestPass")
	require.Regexp(t, `vmexec: kernel \S+-arm64, packed in `, r.stdout+r.stderr)
}

// TestBadInput wants one clear sentence and the exit status, with no machine
// started.
func TestBadInput(t *testing.T) {
	need(t)
	dir := t.TempDir()
	noKernel := filepath.Join(dir, "noKernel")
	require.NoError(t, os.WriteFile(noKernel, []byte("text"), 0o644))
	config := filepath.Join(dir, "config")
	require.NoError(t, os.WriteFile(config, []byte("# comment\n\nmemory=256M\nmemroy=1G\n"), 0o644))
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"no program", []string{"-kernel", "6.1"}, 2, "vmexec: no program is given\n"},
		{"flag", []string{"-no-such", "x"}, 2, "vmexec: flag provided but not defined: -no-such\n"},
		{"memory", []string{"-memory", "much", self(t)}, 2, `vmexec: flag -memory: size "much" is no positive number of bytes, with K, M or G` + "\n"},
		{"accelerator", []string{"-accel", "xen", self(t)}, 2, `vmexec: the machine is described wrongly: accelerator "xen", want tcg or kvm` + "\n"},
		{"drive", []string{"-nvme", "sise=1", self(t)}, 2, `vmexec: flag -nvme "sise=1": unknown property "sise": there are size, file, serial, block, ms, pi, pif, extended, hotplug, subsystem, shared, detached, nsid` + "\n"},
		{"configuration", []string{"-config", config, self(t)}, 2, "vmexec: " + config + ":4: no such flag -memroy\n"},
		{"kernel's release", []string{"-kernel", "2.6", self(t)}, 125, "vmexec: no kernel 2.6 was fetched: there are "},
		{"kernel's image", []string{"-kernel", noKernel, self(t)}, 125, "vmexec: open kernel " + noKernel + ": not a Linux kernel, neither a bzImage nor an arm64 Image\n"},
		{"architecture", []string{"-arch", "riscv64", self(t)}, 2, `vmexec: flag -arch: architecture "riscv64", want amd64 or arm64` + "\n"},
		{"kernel of another architecture", []string{"-arch", "arm64", "-kernel", "6.12", self(t)}, 125, "run vmexec -fetch -arch arm64, or name an image with -kernel\n"},
		{"program", []string{"-kernel", "6.1", "/missing"}, 125, "vmexec: program /missing: it cannot be read: open /missing: no such file or directory\n"},
		{"module", []string{"-kernel", "6.1", "-module", "9p", self(t)}, 125, "its configuration says CONFIG_9P_FS is not set\n"},
		{"little memory", []string{"-kernel", "6.1", "-memory", "48M", self(t)}, 125, "vmexec: pack guest: too little memory: the machine has 48 MiB, "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := command(t, ".", nil, self(t), tc.args...)
			require.Equal(t, tc.status, r.status, r.stderr)
			require.Contains(t, r.stderr, tc.want)
			require.Empty(t, r.stdout)
		})
	}
	r := command(t, ".", []string{"PATH=" + dir}, self(t), "-kernel", "6.1", self(t))
	require.Equal(t, 125, r.status)
	require.Contains(t, r.stderr, "QEMU is not installed")
	r = command(t, ".", []string{"XDG_CACHE_HOME=" + dir}, self(t), "-kernel", "6.1", self(t))
	require.Equal(t, result{125, "", "vmexec: no kernel 6.1 was fetched: there are none; run vmexec -fetch, or name an image with -kernel\n"}, r)
}

// TestKilled wants kill -9 to leave no QEMU behind.
func TestKilled(t *testing.T) {
	need(t)
	cmd := exec.Command(self(t), "-kernel", "6.1", "-tool", "sleep", "--", "/bin/sh", "-c", "echo runs; sleep 600")
	cmd.Env = append(os.Environ(), asCommandEnv+"=1")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "runs\n", line)

	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", cmd.Process.Pid))
	require.NoError(t, err)
	var children []string
	for _, list := range lists {
		b, _ := os.ReadFile(list) // of a thread that may have ended
		children = append(children, strings.Fields(string(b))...)
	}
	require.Len(t, children, 1)
	qemu, err := strconv.Atoi(children[0])
	require.NoError(t, err)
	fd, err := unix.PidfdOpen(qemu, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	ended, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int((30 * time.Second).Milliseconds()))
	require.NoError(t, err)
	require.Equal(t, 1, ended, "QEMU, process %d, still runs", qemu)
}
