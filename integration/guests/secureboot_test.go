package guests

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/vm"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

// The firmware's variables with Secure Boot and a key enrolled, which Debian gives
// away for tests, with its certificate and its password.
const (
	secureVariables   = "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd"
	secureKey         = "/usr/share/ovmf/PkKek-1-snakeoil.key"
	secureCertificate = "/usr/share/ovmf/PkKek-1-snakeoil.pem"
	securePassword    = "snakeoil"
)

// bootsSecurely has firmware with Secure Boot refuse an example's disk, and start
// one whose loader and kernel image are signed.
func bootsSecurely(t *testing.T, k *kernel.Kernel, example string) {
	fixture.RequireTool(t, "openssl")
	fixture.RequireFile(t, secureVariables, secureKey, secureCertificate)
	key := filepath.Join(t.TempDir(), "db.key")
	command(t, "openssl", "pkey", "-in", secureKey, "-passin", "pass:"+securePassword, "-out", key)
	sign := fmt.Sprintf("sign: {key: %s, certificate: %s}", key, secureCertificate)
	signed := []change{
		{"{path: /EFI/BOOT/BOOTX64.EFI, ", "{path: /EFI/BOOT/BOOTX64.EFI, " + sign + ", "},
		{"path: /EFI/Linux/unified.efi\n", "path: /EFI/Linux/unified.efi\n          " + sign + "\n"},
	}
	console := consoleOf(t, vm.Machine{
		Firmware: firmware, Variables: secureVariables,
		Devices: []vm.Device{exampleDisk(t, "unsigned", k, example, 512, nil), exampleDisk(t, "signed", k, example, 512, signed)},
	})
	require.Regexp(t, `failed to load Boot0001 .*: Access Denied`, console)
	require.Contains(t, console, "booted by UEFI: console=ttyS0 panic=-1 no_timer_check quiet loader=unified")
}
