// Package fabrics holds tests of the emulated drive behind the kernel's own NVMe
// driver: nvme-cli, the kernel and package nvme work on /dev/nvme0, which is
// served over NVMe/TCP by the test itself. They need root and a kernel with
// nvme-tcp, and are meant for a guest:
//
//	go test -exec "vmexec -module nvme-tcp -tool nvme" ./integration/guests/fabrics
package fabrics
