// Package guest runs a program in a virtual machine: with its arguments,
// environment, directory and standard streams, as root, on a kernel of choice.
//
//	func main() {
//		guest.Main() // in the guest it does not return
//		...
//		status, err := guest.Run(ctx, vm.Machine{}, guest.Program{
//			Path: "/tmp/loop.test", Args: []string{"-test.v"}, Kernel: k,
//			Modules: []string{"loop max_part=15"},
//		}, guest.Streams{Stdout: os.Stdout, Stderr: os.Stderr})
//	}
//
// The calling program is also the guest's init, unless the guest is of another
// architecture and [Program.Init] names its build for that: it is packed into an
// initramfs with the program, the program's files, the shared libraries of both, and
// the kernel's modules. The two halves talk over one serial port; nothing is asked
// of the kernel but the drivers of QEMU's machine, which every distribution's has
// built in.
//
// The guest's root file system is that archive, a tmpfs: it has no /tmp mounted
// over the names that were packed. /bin, /sbin and /lib are links into /usr. There
// are /dev, /proc, /sys, a loopback interface, and a modprobe for the modules that
// were packed.
package guest
