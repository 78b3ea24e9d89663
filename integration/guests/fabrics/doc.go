// Package fabrics holds tests of the emulated drive behind the kernel's own NVMe
// driver: nvme-cli, fio, the kernel and package nvme work on /dev/nvme0, which is
// served over NVMe/TCP by the test itself. They need root and a kernel with
// nvme-tcp, and are meant for a guest:
//
//	go test -exec "vmexec -module nvme-tcp -tool nvme -tool fio ..." ./integration/guests/fabrics
//
// What Linux 6.1 and 6.12 make of a drive in trouble is asserted here, and written
// down in the documentation of package tcptarget. TestThreeWays shows how the same
// test runs in process, through the kernel and on QEMU's drive.
package fabrics
