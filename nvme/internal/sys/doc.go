// Package sys is the kernel's NVMe passthrough interface: ioctl numbers, their
// structures, and nothing else. It is the only package under nvme with unsafe
// in it. Source: include/uapi/linux/nvme_ioctl.h.
package sys
