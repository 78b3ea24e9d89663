package loop_test

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"math/bits"
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
	"github.com/drivebay/drivebay/loop"
)

const mib = 1 << 20

// memfd returns a sparse file in memory.
func memfd(tb testing.TB, size int64) *os.File {
	tb.Helper()
	return sized(tb, newMemfd(tb, mark()+tb.Name()), size)
}

func newMemfd(tb testing.TB, name string) *os.File {
	tb.Helper()
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		tb.Fatal(err)
	}
	return os.NewFile(uintptr(fd), name)
}

// diskFile returns a sparse file on a disk, without a name.
func diskFile(tb testing.TB, size int64) *os.File {
	tb.Helper()
	f, err := os.OpenFile(scratch, os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	return sized(tb, f, size)
}

// namedFile returns a sparse file on a disk.
func namedFile(tb testing.TB, name string, size int64) *os.File {
	tb.Helper()
	dir, err := os.MkdirTemp(scratch, "")
	if err != nil {
		tb.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	return sized(tb, f, size)
}

func sized(tb testing.TB, f *os.File, size int64) *os.File {
	tb.Helper()
	tb.Cleanup(func() { _ = f.Close() })
	if err := f.Truncate(size); err != nil {
		tb.Fatal(err)
	}
	return f
}

// attach attaches f for the length of the test.
func attach(tb testing.TB, f *os.File, opts loop.Options) *loop.Device {
	tb.Helper()
	d, err := loop.Attach(tb.Context(), f, opts)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, d.Close()) })
	return d
}

// bound reports whether an attachment, which has the number for itself, exists.
func bound(tb testing.TB, diskSeq uint64) bool {
	tb.Helper()
	infos, err := loop.List()
	require.NoError(tb, err)
	for _, info := range infos {
		if info.DiskSeq == diskSeq {
			return true
		}
	}
	return false
}

// rounds gives as many rounds as wanted, or those of the first seconds: beside a udevd
// in an emulated machine one can take a second.
func rounds(most int) iter.Seq[int] {
	return func(yield func(int) bool) {
		begin := time.Now()
		for i := range most {
			if time.Since(begin) > 5*time.Second || !yield(i) {
				return
			}
		}
	}
}

// await waits for what happens by itself, though on a busy machine not at once.
func await(tb testing.TB, what string, happened func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); !happened(); time.Sleep(time.Millisecond) {
		require.True(tb, time.Now().Before(deadline), "never happened: %s", what)
	}
}

// requireUnbound waits until an attachment has ended. Closing it is enough, but
// for an instant a process that was told that the device is free, and came too
// late, can have it open, or a udevd.
func requireUnbound(tb testing.TB, d *loop.Device) {
	tb.Helper()
	await(tb, d.Name()+" is unbound", func() bool { return !bound(tb, d.DiskSeq()) })
}

// requireNoPartition waits until a device has no partition of that name, which
// its next user can have made again.
func requireNoPartition(tb testing.TB, device, partition string) {
	tb.Helper()
	await(tb, partition+" goes with the attachment of "+device, func() bool {
		_, err := os.Lstat("/sys/block/" + device + "/" + partition)
		return err != nil
	})
}

// addDevice makes a loop device with a number that no Attach is given.
func addDevice(tb testing.TB) (name string) {
	tb.Helper()
	ctl, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = unix.Close(ctl) })
	// Minor numbers have 20 bits, of which partitions take some with max_part.
	n := (1<<20-1)>>bits.Len(uint(maxPart(tb))) - 1
	n -= os.Getpid() % (n / 2)
	require.NoError(tb, unix.IoctlSetInt(ctl, unix.LOOP_CTL_ADD, n))
	tb.Cleanup(func() { removeDevice(tb, ctl, n) })
	return "loop" + itoa(n)
}

// removeDevice removes a loop device, which a udevd can still have open to look at.
func removeDevice(tb testing.TB, ctl, n int) {
	tb.Helper()
	await(tb, "loop"+itoa(n)+" is removed", func() bool {
		err := unix.IoctlSetInt(ctl, unix.LOOP_CTL_REMOVE, n)
		if !errors.Is(err, unix.EBUSY) {
			require.NoError(tb, err)
		}
		return err == nil
	})
}

// maxPart returns the loop module's parameter max_part: how many partitions of a
// device have minor numbers beside its own.
func maxPart(tb testing.TB) int {
	tb.Helper()
	b, err := os.ReadFile("/sys/module/loop/parameters/max_part")
	require.NoError(tb, err)
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	require.NoError(tb, err)
	return n
}

// sysfs reads an attribute of a block device.
func sysfs(tb testing.TB, elem ...string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"/sys/block"}, elem...)...))
	require.NoError(tb, err)
	return strings.TrimSuffix(string(b), "\n")
}

// losetup returns what losetup -l says of a device.
func losetup(tb testing.TB, path string) map[string]any {
	tb.Helper()
	var list struct {
		LoopDevices []map[string]any
	}
	out := run(tb, "", fixture.RequireTool(tb, "losetup"), "--list", "--json", path,
		"-O", "NAME,AUTOCLEAR,BACK-FILE,OFFSET,PARTSCAN,RO,SIZELIMIT,DIO,LOG-SEC,MAJ:MIN")
	require.NoError(tb, json.Unmarshal([]byte(out), &list))
	require.Len(tb, list.LoopDevices, 1)
	device := list.LoopDevices[0]
	device["maj:min"] = strings.TrimSpace(device["maj:min"].(string))
	return device
}

// run runs a program and returns what it prints.
func run(tb testing.TB, stdin, program string, args ...string) string {
	tb.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoErrorf(tb, err, "%v: %s", cmd, out)
	return string(out)
}

// openFiles returns the descriptors of this process and what they are.
func openFiles(tb testing.TB) []string {
	tb.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(tb, err)
	var open []string
	for _, e := range entries {
		// The one that ReadDir itself had open is gone by now.
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			open = append(open, e.Name()+" "+target)
		}
	}
	return open
}

func itoa(n int) string { return strconv.Itoa(n) }

// holdOpen closes f and has a process hold it open, until stop: cat, or a link to it of
// another name.
func holdOpen(tb testing.TB, cat string, f *os.File) (pid int, stop func()) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), cat)
	cmd.ExtraFiles = []*os.File{f}
	stdin, err := cmd.StdinPipe()
	require.NoError(tb, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	require.NoError(tb, f.Close())
	// It has its name only some time after its descriptors (fs/exec.c,
	// begin_new_exec): wait for a sign of life.
	_, err = stdin.Write([]byte("?"))
	require.NoError(tb, err)
	_, err = io.ReadFull(stdout, make([]byte, 1))
	require.NoError(tb, err)
	return cmd.Process.Pid, func() {
		require.NoError(tb, stdin.Close())
		require.NoError(tb, cmd.Wait())
	}
}
