package kernel_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

// fakeApt puts an apt-get into PATH that knows one package, of a kernel with nothing
// in it, and returns the package and the log of the calls.
func fakeApt(t *testing.T) (p kernel.Package, log string) {
	dpkg := fixture.RequireTool(t, "dpkg-deb")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"root/DEBIAN/control":   "Package: linux-image-9\nVersion: 1\nArchitecture: riscv64\nMaintainer: nobody\nDescription: none\n",
		"root/boot/vmlinuz-9.9": string(make([]byte, 0x38)) + "ARM\x64Linux version 9.9 (nobody)",
		"bin/apt-get":           "#!/bin/sh\necho \"$@\" >>" + dir + "/log\ncase \"$*\" in *download*) cp " + dir + "/linux.deb . ;; esac\n",
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
	}
	out, err := exec.Command(dpkg, "-b", dir+"/root", dir+"/linux.deb").CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Setenv("PATH", dir+"/bin:"+os.Getenv("PATH"))
	return kernel.Package{Name: "linux-image-9", Version: "1", Arch: "riscv64"}, dir + "/log"
}

// TestFetchOnce has many fetch the same kernel at once, where one was killed as it
// fetched: it comes once, and nothing else stays.
func TestFetchOnce(t *testing.T) {
	p, log := fakeApt(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, err := kernel.Dir()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".fetch-killed", "root"), 0o755))

	var all sync.WaitGroup
	var errs [4]error
	for i := range errs {
		all.Go(func() { _, errs[i] = kernel.Fetch(t.Context(), p) })
	}
	all.Wait()
	require.Equal(t, [4]error{}, errs)
	calls, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Regexp(t, `^(-o \S+ )+-q update\n(-o \S+ )+download -q linux-image-9=1\n$`, string(calls))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, "linux-image-9_1", entries[0].Name())
}

// TestFetchWaits has another process hold the cache.
func TestFetchWaits(t *testing.T) {
	p, log := fakeApt(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, err := kernel.Dir()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	f, err := os.Open(dir)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = kernel.Fetch(ctx, p)
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, log)
}

// TestFetchToAFullDisk leaves nothing behind.
func TestFetchToAFullDisk(t *testing.T) {
	fixture.RequireRoot(t)
	p, _ := fakeApt(t)
	cache := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", cache, "tmpfs", 0, "size=4k"))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(cache, 0)) })
	t.Setenv("XDG_CACHE_HOME", cache)
	_, err := kernel.Fetch(t.Context(), p)
	require.ErrorContains(t, err, "fetch kernel linux-image-9=1: dpkg-deb ")
	require.ErrorContains(t, err, "No space left on device")
	dir, err := kernel.Dir()
	require.NoError(t, err)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}
