// Package vm runs QEMU: a machine and its devices are Go values, and a running
// machine can be watched, and changed over QMP.
//
//	m := vm.Machine{
//		Kernel:    kernel.ELF,
//		Initramfs: archive,
//		CmdLine:   []string{"console=ttyS0", "panic=-1"},
//		Devices: []vm.Device{&vm.NVMe{ID: "drive", Namespaces: []vm.Namespace{
//			{Disk: vm.Disk{Size: 64 << 20}, BlockSize: 4096, Metadata: 8},
//		}}},
//	}
//	guest, err := vm.Start(ctx, m)
//	...
//	defer guest.Kill()
//	err = guest.Wait()
//
// It wants QEMU and a kernel and nothing else: no image, no network, no root, and
// no file is written: disks without a path are in memory. KVM is used where a
// machine has shown that it boots under it ([Accelerators]).
//
// Nothing outlives the process that starts a machine: QEMU gets SIGKILL from the
// kernel when its parent dies, and a guest that restarts or panics ends QEMU.
//
// A machine of ARM64 is QEMU's virt. On an amd64 host, with Debian 12's cloud kernel 6.1
// for arm64, vmexec's own tests run one each time; run by hand there were package nvme's
// tests and package loop's, of which those that call the host's programs were skipped.
// No firmware and no NVMe drive of more than one namespace has been tried on one.
//
// Package guest runs a program in such a machine; integration/cmd/vmexec is the
// command that does so for go test -exec. Options are those of QEMU 7.2.
package vm
