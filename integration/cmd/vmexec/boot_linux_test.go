package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/vm"
	"github.com/drivebay/drivebay/integration/vm/guest"
	"github.com/drivebay/drivebay/integration/vm/initramfs"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

// BenchmarkFirstTest measures the time from vmexec's start to the start of the
// first test in its guest, beside what QEMU and the kernel take for themselves: the
// same machine with an init that only says that it runs. Both are run in turn, and
// the medians compared, so that a noisy host is noisy for both. Where it is noisy
// indeed, the processor's time says more: it is that of the whole run.
//
//	go test -run none -bench FirstTest -benchtime 15x ./integration/cmd/vmexec
func BenchmarkFirstTest(b *testing.B) {
	fixture.RequireTool(b, "qemu-system-x86_64", "apt-get", "dpkg-deb", "go")
	dir := b.TempDir()
	vmexec, init, test := filepath.Join(dir, "vmexec"), filepath.Join(dir, "init"), filepath.Join(dir, "sample.test")
	goTool(b, ".", "build", "-o", vmexec, ".")
	goTool(b, "testdata/bare", "build", "-o", init, "main.go")
	goTool(b, "testdata/sample", "test", "-c", "-ldflags=-s -w", "-o", test) // as go test links what it runs
	for _, p := range kernel.Packages() {
		k, err := kernel.Fetch(b.Context(), p)
		require.NoError(b, err)
		machine := bareMachine(b, k, init)
		b.Run(k.Release, func(b *testing.B) {
			var bare, whole, pack, bareCPU, wholeCPU []time.Duration
			for b.Loop() {
				start := childrenCPU(b)
				bare = append(bare, bareBoot(b, machine))
				between := childrenCPU(b)
				first, packed := firstTest(b, vmexec, k, test)
				whole, pack = append(whole, first), append(pack, packed)
				bareCPU, wholeCPU = append(bareCPU, between-start), append(wholeCPU, childrenCPU(b)-between)
			}
			b.ReportMetric(0, "ns/op") // of both together says nothing
			b.ReportMetric(milliseconds(bare), "bare-ms")
			b.ReportMetric(milliseconds(whole), "vmexec-ms")
			b.ReportMetric(milliseconds(whole)-milliseconds(bare), "overhead-ms")
			b.ReportMetric(milliseconds(pack), "pack-ms")
			b.ReportMetric(milliseconds(bareCPU), "bare-cpu-ms")
			b.ReportMetric(milliseconds(wholeCPU)-milliseconds(bareCPU), "overhead-cpu-ms")
		})
	}
}

// milliseconds returns the median.
func milliseconds(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2].Microseconds()) / 1000
}

// childrenCPU returns the processor's time of all processes that were waited for,
// those that they waited for among them.
func childrenCPU(b *testing.B) time.Duration {
	var usage unix.Rusage
	require.NoError(b, unix.Getrusage(unix.RUSAGE_CHILDREN, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func goTool(b testing.TB, dir string, args ...string) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", out)
}

// bareMachine returns the machine that guests run in, with nothing but an init.
func bareMachine(b *testing.B, k *kernel.Kernel, init string) vm.Machine {
	data, err := os.ReadFile(init)
	require.NoError(b, err)
	archive := &initramfs.Archive{}
	require.NoError(b, archive.Add("init", initramfs.Entry{Mode: 0o755, Data: data}))
	require.NoError(b, archive.Add("dev/console", initramfs.Entry{
		Mode: fs.ModeDevice | fs.ModeCharDevice | 0o600, Major: 5, Minor: 1,
	}))
	f, err := os.Create(filepath.Join(b.TempDir(), "initramfs"))
	require.NoError(b, err)
	defer f.Close()
	_, err = archive.WriteTo(f)
	require.NoError(b, err)
	m := guest.Machine(vm.Machine{Accelerator: vm.TCG}, guest.Program{Kernel: k})
	m.Initramfs = f.Name()
	return m
}

// bareBoot returns the time from QEMU's start to init's word.
func bareBoot(b *testing.B, m vm.Machine) time.Duration {
	begin := time.Now()
	v, err := vm.Start(b.Context(), m)
	require.NoError(b, err)
	defer v.Kill()
	for !strings.Contains(v.Console(), "init runs") {
		require.Less(b, time.Since(begin), time.Minute, "%s", v.Console())
		time.Sleep(time.Millisecond)
	}
	elapsed := time.Since(begin)
	require.NoError(b, v.Wait())
	return elapsed
}

// firstTest returns the time from vmexec's start to the first line that a test in
// its guest prints, and the time that the initramfs took of it.
func firstTest(b *testing.B, vmexec string, k *kernel.Kernel, test string) (first, packed time.Duration) {
	cmd := exec.Command(vmexec, "-v", "-accel", "tcg", "-kernel", k.Image, test, "-test.v", "-test.run", "Skip")
	cmd.Dir = "testdata/sample"
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	begin := time.Now()
	require.NoError(b, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	first = time.Since(begin)
	require.NoError(b, err, "%s", &stderr)
	require.Equal(b, "=== RUN   TestSkip\n", line)
	_, err = io.Copy(io.Discard, stdout)
	require.NoError(b, err)
	require.NoError(b, cmd.Wait(), "%s", &stderr)
	_, after, _ := strings.Cut(stderr.String(), "packed in ")
	var ms int
	_, err = fmt.Sscanf(after, "%d ms", &ms)
	require.NoError(b, err, "%s", &stderr)
	return first, time.Duration(ms) * time.Millisecond
}
