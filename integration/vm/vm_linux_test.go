package vm_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
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
	"github.com/drivebay/drivebay/integration/vm/internal/wire"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

// modeEnv makes the test binary something else than a test: what runs in the
// guest, or a parent to be killed.
const modeEnv = "DRIVEBAY_VM_TEST"

func TestMain(m *testing.M) {
	guest.Main()
	switch os.Getenv(modeEnv) {
	case "drives":
		watchDrives()
	case "parent":
		parent()
	}
	os.Exit(m.Run())
}

// watchDrives prints the serial numbers of the NVMe drives whenever they change.
func watchDrives() {
	for last := "?"; ; time.Sleep(20 * time.Millisecond) {
		files, _ := filepath.Glob("/sys/class/nvme/*/serial")
		var serials []string // sorted: drives are probed side by side
		for _, file := range files {
			b, _ := os.ReadFile(file)
			serials = append(serials, strings.TrimSpace(string(b)))
		}
		slices.Sort(serials)
		if now := fmt.Sprint(serials); now != last {
			last = now
			fmt.Println("drives", now)
		}
	}
}

// parent starts a machine without a guest and waits to be killed.
func parent() {
	if _, err := vm.Start(context.Background(), vm.Machine{Memory: 16 << 20}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("started")
	select {}
}

// machine returns a machine that boots the test binary in a mode.
func machine(t *testing.T, k *kernel.Kernel, mode string, devices ...vm.Device) vm.Machine {
	exe, err := os.Executable()
	require.NoError(t, err)
	program := guest.Program{
		Path: exe, Dir: "/", Env: []string{modeEnv + "=" + mode}, Kernel: k, Modules: []string{"nvme"},
	}
	archive, err := guest.Pack(program)
	require.NoError(t, err)
	f, err := os.Create(filepath.Join(t.TempDir(), "initramfs"))
	require.NoError(t, err)
	defer f.Close()
	_, err = archive.WriteTo(f)
	require.NoError(t, err)
	m := guest.Machine(vm.Machine{Devices: devices}, program)
	m.Initramfs = f.Name()
	return m
}

// output gives the lines that the program in the guest prints.
func output(t *testing.T, v *vm.VM) func() string {
	r := wire.NewReader(v.Serial(1))
	var pending string
	return func() string {
		for !strings.Contains(pending, "\n") {
			kind, payload, err := r.Read()
			require.NoError(t, err, "console:\n%s", v.Console())
			switch kind {
			case wire.Hello:
				return "hello"
			case wire.Stdout:
				pending += string(payload)
			case wire.Trouble:
				t.Fatalf("init: %s", payload)
			}
		}
		line, rest, _ := strings.Cut(pending, "\n")
		pending = rest
		return line
	}
}

// TestHotPlugAndReset boots each kernel once and does to the machine what one can do
// to it.
func TestHotPlugAndReset(t *testing.T) {
	fixture.RequireTool(t, "qemu-system-x86_64", "apt-get", "dpkg-deb")
	for _, p := range kernel.Packages() {
		k, err := kernel.Fetch(t.Context(), p)
		require.NoError(t, err)
		t.Run(k.Release, func(t *testing.T) { hotPlugAndReset(t, k) })
	}
}

func hotPlugAndReset(t *testing.T, k *kernel.Kernel) {
	drive := func(id, port string) *vm.NVMe {
		return &vm.NVMe{ID: id, Port: port, Namespaces: []vm.Namespace{{Disk: vm.Disk{Size: 8 << 20}}}}
	}
	m := machine(t, k, "drives", &vm.RootPort{ID: "port1", Slot: 1}, &vm.RootPort{ID: "port2", Slot: 2}, drive("first", "port1"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	v, err := vm.Start(ctx, m)
	require.NoError(t, err)
	defer v.Kill()
	next := output(t, v)
	until := func(want string) {
		t.Helper()
		for got := ""; got != want; {
			got = next()
			t.Log(got)
		}
	}
	until("hello")
	until("drives [first]")
	require.NoError(t, v.Plug(ctx, drive("second", "port2")))
	until("drives [first second]")
	require.NoError(t, v.Unplug(ctx, "second"))
	until("drives [first]")
	require.NoError(t, v.Plug(ctx, drive("third", "port2")), "the port is free again")
	until("drives [first third]")

	var status struct{ Status string }
	require.NoError(t, v.Execute(ctx, "query-status", nil, &status))
	require.Equal(t, "running", status.Status)
	var refused *vm.QMPError
	require.ErrorAs(t, v.Unplug(ctx, "fourth"), &refused)
	require.Equal(t, "DeviceNotFound", refused.Class)
	require.ErrorIs(t, v.Plug(ctx, drive("fifth", "")), vm.ErrMachine)

	require.NoError(t, v.PowerDown(ctx)) // to which this guest does not listen
	_, err = v.WaitEvent(ctx, "POWERDOWN")
	require.NoError(t, err)
	require.NoError(t, v.Reset(ctx))
	until("hello") // the machine has survived
	until("drives [first third]")
	v.Kill()
	require.NoError(t, v.Wait())
	require.ErrorIs(t, v.Execute(ctx, "query-status", nil, nil), vm.ErrGone)
	_, err = v.WaitEvent(ctx, "SHUTDOWN")
	require.ErrorIs(t, err, vm.ErrGone)
}

func TestStartRefuses(t *testing.T) {
	_, err := vm.Start(t.Context(), vm.Machine{QEMU: "qemu-system-none"})
	require.ErrorIs(t, err, vm.ErrNoQEMU)
	require.EqualError(t, err, `start machine: QEMU is not installed: exec: "qemu-system-none": executable file not found in $PATH`)

	fixture.RequireTool(t, "qemu-system-x86_64")
	_, err = vm.Start(t.Context(), vm.Machine{Kernel: "/missing"})
	var exit *vm.ExitError
	require.ErrorAs(t, err, &exit)
	require.Contains(t, exit.Stderr, "/missing")

	fill := errors.New("no bytes")
	_, err = vm.Start(t.Context(), vm.Machine{Devices: []vm.Device{&vm.Virtio{ID: "v", Disk: vm.Disk{
		Size: 1 << 20, Fill: func(context.Context, io.WriterAt) error { return fill },
	}}}})
	require.ErrorIs(t, err, fill)

	ctx, cancel := context.WithCancel(t.Context())
	v, err := vm.Start(ctx, vm.Machine{Memory: 16 << 20})
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, v.Wait(), context.Canceled)
}

// TestParentKilled wants kill -9 of the parent to leave no QEMU behind.
func TestParentKilled(t *testing.T) {
	fixture.RequireTool(t, "qemu-system-x86_64")
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), modeEnv+"=parent")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "started\n", line)

	qemu := childOf(t, cmd.Process.Pid)
	fd, err := unix.PidfdOpen(qemu, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int((30 * time.Second).Milliseconds()))
	require.NoError(t, err)
	require.Equal(t, 1, n, "QEMU, process %d, still runs", qemu)
}

// childOf returns the one child of a process.
func childOf(t *testing.T, pid int) int {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	require.NoError(t, err)
	var children []string
	for _, list := range lists {
		b, _ := os.ReadFile(list) // of a thread that may have ended
		children = append(children, strings.Fields(string(b))...)
	}
	require.Len(t, children, 1)
	var child int
	_, err = fmt.Sscan(children[0], &child)
	require.NoError(t, err)
	return child
}
