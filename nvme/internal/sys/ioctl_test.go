package sys

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// The layout of include/uapi/linux/nvme_ioctl.h. The structures have no holes
// and are the same on every architecture.
func TestLayout(t *testing.T) {
	type offsets struct {
		NSID, CDW2, Metadata, Addr, MetadataLen, DataLen, CDW10, CDW15, TimeoutMS, Result, Size uintptr
	}
	var c PassthruCmd
	require.Equal(t, offsets{4, 8, 16, 24, 32, 36, 40, 60, 64, 68, 72}, offsets{
		unsafe.Offsetof(c.NSID), unsafe.Offsetof(c.CDW2), unsafe.Offsetof(c.Metadata), unsafe.Offsetof(c.Addr),
		unsafe.Offsetof(c.MetadataLen), unsafe.Offsetof(c.DataLen), unsafe.Offsetof(c.CDW10), unsafe.Offsetof(c.CDW15),
		unsafe.Offsetof(c.TimeoutMS), unsafe.Offsetof(c.Result), unsafe.Sizeof(c),
	})
	var c64 PassthruCmd64
	require.Equal(t, offsets{4, 8, 16, 24, 32, 36, 40, 60, 64, 72, 80}, offsets{
		unsafe.Offsetof(c64.NSID), unsafe.Offsetof(c64.CDW2), unsafe.Offsetof(c64.Metadata), unsafe.Offsetof(c64.Addr),
		unsafe.Offsetof(c64.MetadataLen), unsafe.Offsetof(c64.DataLen), unsafe.Offsetof(c64.CDW10), unsafe.Offsetof(c64.CDW15),
		unsafe.Offsetof(c64.TimeoutMS), unsafe.Offsetof(c64.Result), unsafe.Sizeof(c64),
	})
	require.EqualValues(t, 8, unsafe.Sizeof(Pointer{}))
}

func TestRequests(t *testing.T) {
	if iocNone != 0 {
		t.Skip("another encoding")
	}
	require.Equal(t,
		[]uint32{0x4e40, 0xc0484e41, 0xc0484e43, 0x4e44, 0x4e45, 0x4e46, 0xc0504e47, 0xc0504e48},
		[]uint32{NVME_IOCTL_ID, NVME_IOCTL_ADMIN_CMD, NVME_IOCTL_IO_CMD, NVME_IOCTL_RESET, NVME_IOCTL_SUBSYS_RESET,
			NVME_IOCTL_RESCAN, NVME_IOCTL_ADMIN64_CMD, NVME_IOCTL_IO64_CMD})
}
