package vm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/integration/vm"
)

// devices returns the values of -blockdev and -device on a command line.
func devices(t *testing.T, m vm.Machine) (values []string) {
	args, err := m.Command()
	require.NoError(t, err)
	for i, arg := range args {
		if arg == "-blockdev" || arg == "-device" && strings.HasPrefix(args[i+1], "{") {
			values = append(values, args[i+1])
		}
	}
	return values
}

func TestCommand(t *testing.T) {
	args, err := vm.Machine{Kernel: "/boot/vmlinuz", Initramfs: "/i", CmdLine: []string{"a", "b=c"}, CPUs: 2, Memory: 64 << 20, Serial: 1}.Command()
	require.NoError(t, err)
	require.Equal(t, "qemu-system-x86_64 -nodefaults -no-user-config -display none "+
		"-machine q35,usb=off,vmport=off,smbus=off,sata=off,i8042=off -smp 2 -m 64M -no-reboot "+
		"-accel tcg,thread=multi -cpu max,-cx16,-la57,-erms,-smap -bios qboot.rom -kernel /boot/vmlinuz -initrd /i -append|a b=c "+
		"-chardev socket,id=serial0,fd=4 -device isa-serial,chardev=serial0,index=0 "+
		"-chardev socket,id=serial1,fd=5 -device isa-serial,chardev=serial1,index=1 "+
		"-chardev socket,id=qmp,fd=3 -mon chardev=qmp,mode=control",
		strings.Replace(strings.Join(args, " "), "-append ", "-append|", 1))

	args, err = vm.Machine{QEMU: "/q", Accelerator: vm.KVM, Firmware: "/a,b", Variables: "/v"}.Command()
	require.NoError(t, err)
	require.Equal(t, "/q", args[0])
	require.Contains(t, strings.Join(args, " "), "-smp 1 -m 1024M -no-reboot -accel kvm -cpu host "+
		"-drive if=pflash,unit=0,format=raw,readonly=on,file=/a,,b -drive if=pflash,unit=1,format=raw,file=/v")

	args, err = vm.Machine{Arch: vm.ARM64, Kernel: "/boot/vmlinuz", Initramfs: "/i", CmdLine: []string{"a"}, Serial: 2}.Command()
	require.NoError(t, err)
	require.Equal(t, "qemu-system-aarch64 -nodefaults -no-user-config -display none "+
		"-machine virt,gic-version=max -smp 1 -m 1024M -no-reboot -accel tcg,thread=multi -cpu max,pauth=off "+
		"-kernel /boot/vmlinuz -initrd /i -append a "+
		"-chardev socket,id=serial0,fd=4 -serial chardev:serial0 "+
		"-chardev socket,id=serial1,fd=5 -device pci-serial,chardev=serial1 "+
		"-chardev socket,id=serial2,fd=6 -device pci-serial,chardev=serial2 "+
		"-chardev socket,id=qmp,fd=3 -mon chardev=qmp,mode=control", strings.Join(args, " "))

	args, err = vm.Machine{Kernel: "/k", Devices: []vm.Device{&vm.RootPort{ID: "p", Slot: 1}}}.Command()
	require.NoError(t, err)
	require.False(t, slices.Contains(args, "-bios"), "qboot keeps no room for hot plug")
}

func TestCommandOfDevices(t *testing.T) {
	for _, tc := range []struct {
		name    string
		devices []vm.Device
		want    []string
	}{
		{"NVMe", []vm.Device{&vm.NVMe{
			ID: "d", Serial: "S1", Properties: map[string]any{"mdts": 5},
			Namespaces: []vm.Namespace{
				{Disk: vm.Disk{Size: 1 << 20}},
				{
					Disk: vm.Disk{Path: "/disk,1", ReadOnly: true}, BlockSize: 4096, Metadata: 8, Extended: true,
					Protection: 1, ProtectionFirst: true, Detached: true, Shared: true,
				},
			},
		}}, []string{
			`{"driver":"nvme-subsys","id":"d-subsystem","nqn":"d-subsystem"}`,
			`{"driver":"nvme","id":"d","mdts":5,"serial":"S1","subsys":"d-subsystem"}`,
			`{"discard":"unmap","driver":"file","filename":"memory:d-n1","locking":"off","node-name":"d-n1","read-only":false}`,
			`{"bus":"d","detached":false,"drive":"d-n1","driver":"nvme-ns","id":"d-n1-ns","logical_block_size":512,"nsid":1,"physical_block_size":512,"shared":false}`,
			`{"discard":"unmap","driver":"file","filename":"/disk,1","locking":"off","node-name":"d-n2","read-only":true}`,
			`{"bus":"d","detached":true,"drive":"d-n2","driver":"nvme-ns","id":"d-n2-ns","logical_block_size":4096,"ms":8,"mset":1,"nsid":2,"physical_block_size":4096,"pi":1,"pil":1,"shared":true}`,
		}},
		{"NVMe in a port", []vm.Device{
			&vm.RootPort{ID: "p", Slot: 7},
			&vm.NVMe{ID: "d", Port: "p", Namespaces: []vm.Namespace{{Disk: vm.Disk{Path: "/x"}, BlockSize: 4096}}},
		}, []string{
			`{"chassis":7,"driver":"pcie-root-port","id":"p","slot":7}`,
			`{"discard":"unmap","driver":"file","filename":"/x","locking":"off","node-name":"d-n1","read-only":false}`,
			`{"bus":"p","drive":"d-n1","driver":"nvme","id":"d","logical_block_size":4096,"physical_block_size":4096,"serial":"d"}`,
		}},
		{"subsystem", []vm.Device{&vm.Subsystem{ID: "s"}, &vm.NVMe{ID: "d", Subsystem: "s"}}, []string{
			`{"driver":"nvme-subsys","id":"s","nqn":"s"}`,
			`{"driver":"nvme","id":"d","serial":"d","subsys":"s"}`,
		}},
		{"virtio and another", []vm.Device{
			&vm.Virtio{ID: "v", Disk: vm.Disk{Path: "/x"}, BlockSize: 4096}, vm.Property{"driver": "virtio-rng-pci"},
		}, []string{
			`{"discard":"unmap","driver":"file","filename":"/x","locking":"off","node-name":"v-disk","read-only":false}`,
			`{"drive":"v-disk","driver":"virtio-blk-pci","id":"v","logical_block_size":4096,"physical_block_size":4096,"serial":"v"}`,
			`{"driver":"virtio-rng-pci"}`,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) { require.Equal(t, tc.want, devices(t, vm.Machine{Devices: tc.devices})) })
	}
}

func TestCommandRefuses(t *testing.T) {
	disk := vm.Disk{Size: 1 << 20}
	namespace := func(ns vm.Namespace) vm.Machine {
		return vm.Machine{Devices: []vm.Device{&vm.NVMe{ID: "d", Namespaces: []vm.Namespace{ns}}}}
	}
	for want, m := range map[string]vm.Machine{
		`architecture "riscv64", want amd64 or arm64`:                                                   {Arch: "riscv64"},
		"-1 CPUs, want 1 to 255":                                                                        {CPUs: -1},
		"memory of 1000 bytes is no multiple of 1 MiB":                                                  {Memory: 1000},
		"4 serial ports besides the console, want 0 to 3":                                               {Serial: 4},
		`accelerator "xen", want tcg or kvm`:                                                            {Accelerator: "xen"},
		"an initramfs or a command line without a kernel":                                               {Initramfs: "/i"},
		"UEFI firmware wants both its code and its variables":                                           {Firmware: "/f"},
		`device 0: NVMe: the ID "" is not a letter followed by letters, digits and . _ -`:               {Devices: []vm.Device{&vm.NVMe{}}},
		`device 1: the ID "v" is taken`:                                                                 {Devices: []vm.Device{&vm.Virtio{ID: "v", Disk: disk}, &vm.Virtio{ID: "v", Disk: disk}}},
		"device 0: root port p has the slot 0, want 1 to 255":                                           {Devices: []vm.Device{&vm.RootPort{ID: "p"}}},
		`device 0: properties of a device without "driver"`:                                             {Devices: []vm.Device{vm.Property{}}},
		"device 0: NVMe d, namespace 1: a disk without a path has 0 bytes, want more than 0":            namespace(vm.Namespace{}),
		"device 0: NVMe d, namespace 1: a disk has a path or a size, not both":                          namespace(vm.Namespace{Disk: vm.Disk{Size: 1, Path: "/x"}}),
		"device 0: NVMe d, namespace 1: a disk of 1000 bytes has no whole number of blocks of 512":      namespace(vm.Namespace{Disk: vm.Disk{Size: 1000}}),
		"device 0: NVMe d, namespace 1: a block size of 513 bytes is no power of two from 512 to 2 MiB": namespace(vm.Namespace{Disk: disk, BlockSize: 513}),
		"device 0: NVMe d, namespace 1: metadata of 65 bytes a block, want 0 to 64":                     namespace(vm.Namespace{Disk: disk, Metadata: 65}),
		"device 0: NVMe d, namespace 1: protection information of type 4, want 0 to 3":                  namespace(vm.Namespace{Disk: disk, Protection: 4}),
		"device 0: NVMe d, namespace 1: protection information wants 8 bytes of metadata, has 0":        namespace(vm.Namespace{Disk: disk, Protection: 1}),
	} {
		_, err := m.Command()
		require.ErrorIs(t, err, vm.ErrMachine)
		require.EqualError(t, err, "the machine is described wrongly: "+want)
	}
}
