//go:build mips || mipsle || mips64 || mips64le || ppc64 || ppc64le

package sys

// Directions of _IO and _IOWR: uapi/asm/ioctl.h of mips and powerpc.
const (
	iocNone      = 1 << 29
	iocReadWrite = 6 << 29
)
