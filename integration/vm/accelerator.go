package vm

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Accelerators returns what a machine of an architecture is best started with on this
// host, the fastest first. KVM is among them where the architecture is the host's,
// its device can be opened, and nobody has reported, since the host was booted, that
// it does not boot: see [RefuseKVM]. TCG is always the last.
//
// That a device can be opened says little: on a host that is itself a guest it may
// hang at the first instruction, or fail in the middle of a boot. So whoever starts
// a machine under KVM sets a time limit to its boot, and tries TCG after it.
func Accelerators(arch Arch) []Accelerator {
	if runtime.GOOS != "linux" || string(cmp.Or(arch, AMD64)) != runtime.GOARCH || KVMRefused() {
		return []Accelerator{TCG}
	}
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return []Accelerator{TCG}
	}
	_ = f.Close()
	return []Accelerator{KVM, TCG}
}

// RefuseKVM reports that a machine has not booted under KVM where it did under
// TCG. The user's cache directory remembers it until the host boots again.
func RefuseKVM() error {
	path, err := refusal()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(bootID()+"\n"), 0o644)
}

// KVMRefused reports whether [RefuseKVM] was called since the host was booted.
func KVMRefused() bool {
	path, err := refusal()
	if err != nil {
		return false
	}
	b, err := os.ReadFile(path)
	return err == nil && strings.TrimSpace(string(b)) == bootID()
}

func refusal() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "drivebay", "kvm-does-not-boot"), err
}

// bootID names the time since the host was booted.
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}
