// Package verity holds tests of dm-verity by the kernel itself, on disks that
// package image has built. They want the device mapper, which the suite in the
// folder above brings, and says so in the environment variable
// DRIVEBAY_DEVICE_MAPPER.
package verity
