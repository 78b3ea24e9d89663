// Package drives holds tests of package nvme on the drive that QEMU emulates,
// behind the kernel's driver, with nvme-cli as the judge. They format the drive
// whose serial number the environment variable DRIVEBAY_DRIVE names, and no other.
// The suite in the folder above runs them in guests. TestCapture is also how package
// nvme gets its goldens: see nvme/testdata/qemu/capture.sh.
package drives
