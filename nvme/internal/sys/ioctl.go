package sys

import "unsafe"

// Ioctl requests. NB: the direction bits differ on mips and powerpc.
const (
	NVME_IOCTL_ID           = iocNone | 0x4e40
	NVME_IOCTL_ADMIN_CMD    = iocReadWrite | 72<<16 | 0x4e41
	NVME_IOCTL_IO_CMD       = iocReadWrite | 72<<16 | 0x4e43
	NVME_IOCTL_RESET        = iocNone | 0x4e44
	NVME_IOCTL_SUBSYS_RESET = iocNone | 0x4e45
	NVME_IOCTL_RESCAN       = iocNone | 0x4e46
	NVME_IOCTL_ADMIN64_CMD  = iocReadWrite | 80<<16 | 0x4e47
	NVME_IOCTL_IO64_CMD     = iocReadWrite | 80<<16 | 0x4e48
)

// PassthruCmd is struct nvme_passthru_cmd, 72 bytes.
type PassthruCmd struct {
	Opcode      uint8
	Flags       uint8 // NB: the kernel answers EINVAL unless it is zero
	_           uint16
	NSID        uint32
	CDW2        uint32
	CDW3        uint32
	Metadata    Pointer
	Addr        Pointer
	MetadataLen uint32
	DataLen     uint32
	CDW10       uint32
	CDW11       uint32
	CDW12       uint32
	CDW13       uint32
	CDW14       uint32
	CDW15       uint32
	TimeoutMS   uint32
	Result      uint32
}

// PassthruCmd64 is struct nvme_passthru_cmd64, 80 bytes.
type PassthruCmd64 struct {
	Opcode      uint8
	Flags       uint8
	_           uint16
	NSID        uint32
	CDW2        uint32
	CDW3        uint32
	Metadata    Pointer
	Addr        Pointer
	MetadataLen uint32
	DataLen     uint32
	CDW10       uint32
	CDW11       uint32
	CDW12       uint32
	CDW13       uint32
	CDW14       uint32
	CDW15       uint32
	TimeoutMS   uint32
	_           uint32
	Result      [8]byte // __u64; kept as bytes, which do not ask for alignment on 386
}

// PointerTo returns a pointer to b's bytes, or a null pointer for none.
func PointerTo(b []byte) Pointer {
	if len(b) == 0 {
		return Pointer{}
	}
	return Pointer{ptr: unsafe.Pointer(&b[0])}
}
