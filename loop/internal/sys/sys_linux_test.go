package sys

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets and sizes from include/uapi/linux/loop.h and blkpg.h.
func TestLayout(t *testing.T) {
	var (
		info      unix.LoopInfo64
		config    unix.LoopConfig
		arg       unix.BlkpgIoctlArg
		partition unix.BlkpgPartition
	)
	word := unsafe.Sizeof(uintptr(0))
	for _, tc := range []struct {
		name      string
		got, want uintptr
	}{
		{"loop_info64.lo_device", unsafe.Offsetof(info.Device), 0},
		{"loop_info64.lo_inode", unsafe.Offsetof(info.Inode), 8},
		{"loop_info64.lo_rdevice", unsafe.Offsetof(info.Rdevice), 16},
		{"loop_info64.lo_offset", unsafe.Offsetof(info.Offset), 24},
		{"loop_info64.lo_sizelimit", unsafe.Offsetof(info.Sizelimit), 32},
		{"loop_info64.lo_number", unsafe.Offsetof(info.Number), 40},
		{"loop_info64.lo_flags", unsafe.Offsetof(info.Flags), 52},
		{"loop_info64.lo_file_name", unsafe.Offsetof(info.File_name), 56},
		{"sizeof lo_file_name", unsafe.Sizeof(info.File_name), NameSize},
		{"sizeof loop_info64", unsafe.Sizeof(info), 232},
		{"loop_config.fd", unsafe.Offsetof(config.Fd), 0},
		{"loop_config.block_size", unsafe.Offsetof(config.Size), 4},
		{"loop_config.info", unsafe.Offsetof(config.Info), 8},
		{"sizeof loop_config", unsafe.Sizeof(config), 304},
		{"blkpg_ioctl_arg.op", unsafe.Offsetof(arg.Op), 0},
		{"blkpg_ioctl_arg.datalen", unsafe.Offsetof(arg.Datalen), 8},
		{"blkpg_ioctl_arg.data", unsafe.Offsetof(arg.Data), 8 + word},
		{"blkpg_partition.start", unsafe.Offsetof(partition.Start), 0},
		{"blkpg_partition.length", unsafe.Offsetof(partition.Length), 8},
		{"blkpg_partition.pno", unsafe.Offsetof(partition.Pno), 16},
		{"sizeof blkpg_partition", unsafe.Sizeof(partition), 144 + word},
		{"LOOP_CONFIGURE", unix.LOOP_CONFIGURE, 0x4c0a},
		{"LOOP_GET_STATUS64", unix.LOOP_GET_STATUS64, 0x4c05},
		{"LOOP_CLR_FD", unix.LOOP_CLR_FD, 0x4c01},
		{"LOOP_SET_CAPACITY", unix.LOOP_SET_CAPACITY, 0x4c07},
		{"LOOP_SET_DIRECT_IO", unix.LOOP_SET_DIRECT_IO, 0x4c08},
		{"LOOP_SET_BLOCK_SIZE", unix.LOOP_SET_BLOCK_SIZE, 0x4c09},
		{"LOOP_CTL_GET_FREE", unix.LOOP_CTL_GET_FREE, 0x4c82},
		{"LO_FLAGS_READ_ONLY", unix.LO_FLAGS_READ_ONLY, FlagReadOnly},
		{"LO_FLAGS_AUTOCLEAR", unix.LO_FLAGS_AUTOCLEAR, FlagAutoclear},
		{"LO_FLAGS_PARTSCAN", unix.LO_FLAGS_PARTSCAN, FlagPartscan},
		{"LO_FLAGS_DIRECT_IO", unix.LO_FLAGS_DIRECT_IO, FlagDirectIO},
	} {
		if tc.got != tc.want {
			t.Errorf("%s is %d, want %d", tc.name, tc.got, tc.want)
		}
	}
}
