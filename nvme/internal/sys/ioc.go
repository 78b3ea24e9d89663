//go:build !mips && !mipsle && !mips64 && !mips64le && !ppc64 && !ppc64le

package sys

// Directions of _IO and _IOWR: asm-generic/ioctl.h.
const (
	iocNone      = 0
	iocReadWrite = 3 << 30
)
