package vm_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/integration/vm"
)

// TestForeignMachineHasNoKVM asks for every architecture but the host's.
func TestForeignMachineHasNoKVM(t *testing.T) {
	for _, arch := range []vm.Arch{vm.AMD64, vm.ARM64} {
		if string(arch) != runtime.GOARCH {
			require.Equal(t, []vm.Accelerator{vm.TCG}, vm.Accelerators(arch), arch)
		}
	}
}
