// Package drives holds tests of package nvme on the drive that QEMU emulates,
// behind the kernel's driver, with nvme-cli as the judge. They use the drives whose
// serial numbers environment variables name, and no other:
//
//	DRIVEBAY_DRIVE            is formatted
//	DRIVEBAY_DRIVE_GUARD64    has protection information with a guard of 64 bits, and is written to
//	DRIVEBAY_DRIVE_SHARED     two controllers that share namespace 1 and may share namespace 2
//	DRIVEBAY_DRIVE_TO_UNPLUG  is QEMU's ID of the device, too; it is written to, and pulled out
//
// The suite in the folder above runs them in guests. TestCapture and TestCaptureSysfs
// are also how package nvme gets goldens: see the scripts in nvme/testdata.
package drives
