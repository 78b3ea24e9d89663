package guest

import (
	"testing"
	"time"

	"github.com/drivebay/drivebay/integration/vm"
)

// SetBootLimit changes the limit under TCG for the length of a test.
func SetBootLimit(t *testing.T, limit time.Duration) {
	old := bootLimitTCG
	bootLimitTCG = limit
	t.Cleanup(func() { bootLimitTCG = old })
}

// SetKVM makes this host one with KVM for the length of a test, unless it is
// refused, and changes the limit under it.
func SetKVM(t *testing.T, limit time.Duration) {
	oldLimit, oldHas := bootLimitKVM, accelerators
	bootLimitKVM = limit
	accelerators = func(vm.Arch) []vm.Accelerator {
		if vm.KVMRefused() {
			return []vm.Accelerator{vm.TCG}
		}
		return []vm.Accelerator{vm.KVM, vm.TCG}
	}
	t.Cleanup(func() { bootLimitKVM, accelerators = oldLimit, oldHas })
}

// Libraries returns what the executable at a path needs.
func Libraries(path string) ([]string, error) { return newLibraries(own()).of(path) }
