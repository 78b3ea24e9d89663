package fabrics

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/guests/internal/nvmecli"
)

// patience is how long tests wait for what the kernel does in seconds, on a machine
// that may be busy.
const patience = 2 * time.Minute

// node returns the block device of the drive's namespace 1.
func node(t *testing.T, d *fixture.NVMeDrive) string {
	t.Helper()
	path, err := d.Attached.NamespaceNode(1)
	require.NoError(t, err)
	return path
}

// directIO reads or writes blocks past the page cache.
type directIO struct {
	f   *os.File
	buf []byte // aligned to pages
}

// openDirect opens a block device for I/O of 4 KiB that is not cached.
func openDirect(t *testing.T, path string, flags int) *directIO {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_DIRECT|flags, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	const page = 4096
	b := make([]byte, 2*page)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % page)
	return &directIO{f, b[skip:][:page]}
}

func (d *directIO) write(b byte, off int64) error {
	copy(d.buf, bytes.Repeat([]byte{b}, len(d.buf)))
	_, err := d.f.WriteAt(d.buf, off)
	return err
}

func (d *directIO) read(off int64) (byte, error) {
	_, err := d.f.ReadAt(d.buf, off)
	return d.buf[0], err
}

// writeOrRead writes a byte, or wants to read another.
func (d *directIO) writeOrRead(write bool, b, want byte, off int64) error {
	if write {
		return d.write(b, off)
	}
	got, err := d.read(off)
	if err == nil && got != want {
		return fmt.Errorf("read %d, want %d", got, want)
	}
	return err
}

// attribute returns an attribute of a controller in sysfs.
func attribute(t *testing.T, d *fixture.NVMeDrive, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/sys/class/nvme", d.Attached.Name(), name))
	require.NoError(t, err)
	return strings.TrimSpace(string(b))
}

// parameter sets a parameter of the kernel's NVMe drivers for the length of the
// test: controllers take it over when they connect.
func parameter(t *testing.T, name, value string) {
	t.Helper()
	path := filepath.Join("/sys/module/nvme_core/parameters", name)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(value), 0))
	t.Cleanup(func() { require.NoError(t, os.WriteFile(path, before, 0)) })
}

// live waits until the kernel's driver has the controller up.
func live(t *testing.T, d *fixture.NVMeDrive) {
	t.Helper()
	require.Eventually(t, func() bool { return attribute(t, d, "state") == "live" }, patience, 5*time.Millisecond)
}

// run runs a program.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(fixture.RequireTool(t, name), args...).CombinedOutput()
	require.NoError(t, err, "%s %v\n%s", name, args, out)
	return string(out)
}

// cli runs nvme-cli; see nvmecli.Run.
func cli(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return nvmecli.Run(t.Context(), fixture.RequireTool(t, "nvme"), args...)
}

// waits wants I/O not to end by itself.
func waits(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		t.Fatalf("I/O ends, and should wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
}

// mount mounts a device for the length of the test, or until the function that is
// returned is called.
func mount(t *testing.T, device, fs string) (dir string, unmount func()) {
	t.Helper()
	fixture.RequireFS(t, fs)
	dir = t.TempDir()
	require.NoError(t, unix.Mount(device, dir, fs, 0, ""))
	mounted := true
	unmount = func() {
		t.Helper()
		if mounted {
			mounted = false
			require.NoError(t, unix.Unmount(dir, 0))
		}
	}
	t.Cleanup(func() {
		if mounted {
			_ = unix.Unmount(dir, unix.MNT_DETACH)
		}
	})
	return dir, unmount
}
