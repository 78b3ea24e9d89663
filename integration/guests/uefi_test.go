package guests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/integration/vm"
	"github.com/drivebay/drivebay/integration/vm/guest"
	"github.com/drivebay/drivebay/integration/vm/kernel"
)

// Debian's UEFI firmware: package ovmf.
const (
	firmware  = "/usr/share/OVMF/OVMF_CODE_4M.fd"
	variables = "/usr/share/OVMF/OVMF_VARS_4M.fd"
)

// markerEnv makes the test binary write a marker to the console.
const markerEnv = "DRIVEBAY_UEFI_MARKER"

func TestMain(m *testing.M) {
	guest.Main()
	if marker := os.Getenv(markerEnv); marker != "" {
		_, efi := os.Stat("/sys/firmware/efi")
		disk, _ := os.ReadFile("/sys/block/nvme0n1/nvme0n1p1/partition")
		line := fmt.Sprintf("%s: UEFI %t, ESP is partition %s\n", marker, efi == nil, bytes.TrimSpace(disk))
		if err := os.WriteFile("/dev/console", []byte(line), 0); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// bootsByUEFI builds a disk with a kernel and its initramfs in the ESP, and lets
// UEFI firmware boot it.
func bootsByUEFI(t *testing.T, k *kernel.Kernel) {
	fixture.RequireFile(t, firmware, variables)
	tree := espTree(t, k)
	for _, sector := range []int{512, 4096} {
		t.Run(fmt.Sprintf("sectors of %d", sector), func(t *testing.T) {
			layout := image.Layout{SectorSize: sector, Partitions: []image.Partition{
				{Name: "esp", Type: image.ESP, Size: 300 * image.MiB, Content: &fat.FileSystem{Tree: tree, Label: "ESP"}},
			}}
			plan, err := layout.Plan(t.Context())
			require.NoError(t, err)
			require.Contains(t, consoleOfGuest(t, plan), "marker: UEFI true, ESP is partition 1")
		})
	}
}

// consoleOfGuest has the firmware boot a disk whose init is package guest's, and
// returns what was written to the console when it has ended.
func consoleOfGuest(t *testing.T, disk *image.Plan) string {
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	v, err := vm.Start(ctx, vm.Machine{
		Firmware: firmware, Variables: variables, Serial: 1,
		Devices: []vm.Device{&vm.NVMe{ID: "disk", Namespaces: []vm.Namespace{{
			BlockSize: disk.SectorSize,
			Disk: vm.Disk{Size: disk.Size, Fill: func(ctx context.Context, w io.WriterAt) error {
				return disk.WriteAt(ctx, w, image.Options{AnyOrder: true})
			}},
		}}}},
	})
	require.NoError(t, err)
	defer v.Kill()
	// The firmware paints its screens on this port, too, and waits for who takes them.
	_, err = io.Copy(io.Discard, v.Serial(1))
	require.NoError(t, errors.Join(err, v.Wait()), "%s", v.Console())
	return v.Console()
}

// bootLimit is for what hangs. A boot by firmware takes half a minute, but on a busy
// host.
const bootLimit = 10 * time.Minute

// espTree returns the files of the ESP. The shell that the firmware has built in
// starts the kernel, which is an EFI program.
func espTree(t *testing.T, k *kernel.Kernel) *filetree.Tree {
	exe, err := os.Executable()
	require.NoError(t, err)
	archive, err := guest.Pack(guest.Program{Path: exe, Dir: "/", Env: []string{markerEnv + "=marker"}, Kernel: k})
	require.NoError(t, err)
	var initramfs bytes.Buffer
	_, err = archive.WriteTo(&initramfs)
	require.NoError(t, err)
	bzImage, err := os.ReadFile(k.Image)
	require.NoError(t, err)
	// NB: with the timer's interrupts late, as on a busy host, the kernel panics that
	// it does not work: arch/x86/kernel/apic/io_apic.c, check_timer.
	tree, err := filetree.FromFS(fstest.MapFS{
		"vmlinuz.efi":   {Data: bzImage},
		"initramfs.img": {Data: initramfs.Bytes()},
		"startup.nsh":   {Data: []byte("FS0:\r\nvmlinuz.efi initrd=\\initramfs.img console=ttyS0 panic=-1 no_timer_check quiet\r\n")},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tree.Close()) })
	return tree
}
