package guests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/vm"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

const exampleDir = "../../examples/boot"

// change is a change of the text of examples/boot/disk.yaml.
type change struct{ old, new string }

// Changes that make other disks of the example's.
var (
	// startedByType1 has systemd-boot start the kernel by the entry that names it.
	startedByType1 = []change{{"default unified.efi", "default separate.conf"}}
	// startedByFirmware does without systemd-boot.
	startedByFirmware = []change{
		{"{path: /EFI/BOOT/BOOTX64.EFI, ", "{path: /EFI/BOOT/UNUSED.EFI, "},
		{"path: /EFI/Linux/unified.efi", "path: /EFI/BOOT/BOOTX64.EFI"},
	}
	// withHybridMBR lists the ESP in the MBR as well, as the active partition.
	withHybridMBR = []change{{"    type: esp\n", "    type: esp\n    hybrid-type: 0xef\n    attributes: [legacy-boot]\n"}}
	// with4096 leaves out GRUB, which boots from sectors of 512 bytes only.
	with4096 = []change{
		{"sector-size: 512", "sector-size: 4096"},
		{"    content: {format: grub-core, file: core.img}\n", ""},
		{"blobs:\n  - {name: boot code, format: grub-boot, file: /usr/lib/grub/i386-pc/boot.img}\n", ""},
	}
)

// bootsByLoader builds the disks of examples/boot and lets firmware boot them, by
// each way that they have.
func bootsByLoader(t *testing.T, k *kernel.Kernel) {
	fixture.RequireTool(t, "grub-mkimage")
	fixture.RequireFile(t, firmware, variables, "/usr/lib/grub/i386-pc/boot.img",
		"/usr/lib/systemd/boot/efi/linuxx64.efi.stub", "/usr/lib/systemd/boot/efi/systemd-bootx64.efi")
	example := filepath.Join(t.TempDir(), "boot")
	// It becomes the guest's init, which has no libraries.
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", example, exampleDir)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Run("systemd-boot, unified image, Secure Boot", func(t *testing.T) { bootsSecurely(t, k, example) })
	for _, tc := range []struct {
		name    string
		changes []change
		sectors []int
		uefi    bool
		want    string
	}{
		// Of 512, it is started with Secure Boot above.
		{"systemd-boot, unified image", nil, []int{4096}, true, "booted by UEFI: console=ttyS0 panic=-1 no_timer_check quiet loader=unified"},
		{"systemd-boot, separate files", startedByType1, []int{512, 4096}, true, "panic=-1 no_timer_check quiet loader=separate"},
		{"unified image alone", startedByFirmware, []int{512, 4096}, true, "booted by UEFI: console=ttyS0 panic=-1 no_timer_check quiet loader=unified"},
		{"GRUB", nil, []int{512}, false, "booted by BIOS: BOOT_IMAGE=/vmlinuz console=ttyS0 panic=-1 no_timer_check quiet loader=grub"},
		{"GRUB, hybrid MBR", withHybridMBR, []int{512}, false, "booted by BIOS: BOOT_IMAGE=/vmlinuz console=ttyS0 panic=-1 no_timer_check quiet loader=grub"},
	} {
		for _, sector := range tc.sectors {
			t.Run(tc.name+", sectors of "+strconv.Itoa(sector), func(t *testing.T) {
				m := vm.Machine{Devices: []vm.Device{exampleDisk(t, "disk", k, example, sector, tc.changes)}}
				if tc.uefi {
					m.Firmware, m.Variables = firmware, variables
				}
				require.Contains(t, consoleOf(t, m), tc.want)
			})
		}
	}
}

// exampleDisk builds the example's disk with sectors of a size and some changes.
func exampleDisk(t *testing.T, id string, k *kernel.Kernel, example string, sector int, changes []change) vm.Device {
	if sector == 4096 {
		changes = slices.Concat(changes, with4096)
	}
	disk := filepath.Join(t.TempDir(), "disk.img")
	command(t, example, "-kernel", k.Image, "-spec", changedSpec(t, changes), "-o", disk)
	return &vm.NVMe{ID: id, Namespaces: []vm.Namespace{{BlockSize: sector, Disk: vm.Disk{Path: disk}}}}
}

// command runs a program.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
}

// changedSpec writes the example's description, with changes, into a file.
func changedSpec(t *testing.T, changes []change) string {
	b, err := os.ReadFile(filepath.Join(exampleDir, "disk.yaml"))
	require.NoError(t, err)
	text := string(b)
	for _, c := range changes {
		require.Equal(t, 1, strings.Count(text, c.old), "%q", c.old)
		text = strings.ReplaceAll(text, c.old, c.new)
	}
	name := filepath.Join(t.TempDir(), "disk.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	return name
}

// consoleOf runs a machine until it powers off or restarts, and returns what was
// written to its console.
func consoleOf(t *testing.T, m vm.Machine) string {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // it is half a minute, but on a busy host
	defer cancel()
	v, err := vm.Start(ctx, m)
	require.NoError(t, err)
	defer v.Kill()
	require.NoError(t, v.Wait(), "%s", v.Console())
	return v.Console()
}
