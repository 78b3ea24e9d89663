// Package sys is the system call layer of package loop: ioctl numbers, the
// kernel's structs and everything that needs package unsafe. Every call is
// wrapped once, by name, in an [os.SyscallError]. On systems other than Linux
// every function returns [errors.ErrUnsupported] and nothing else.
package sys

// Major is LOOP_MAJOR of include/uapi/linux/major.h.
const Major = 7

// Bits of loop_info64.lo_flags, include/uapi/linux/loop.h.
const (
	FlagReadOnly  = 1
	FlagAutoclear = 4
	FlagPartscan  = 8
	FlagDirectIO  = 16
)

// NameSize is LO_NAME_SIZE: the bytes of lo_file_name, of which the kernel
// makes the last one zero.
const NameSize = 64

// Config is what LOOP_CONFIGURE is asked for.
type Config struct {
	BackingFD int
	BlockSize uint32
	Offset    uint64
	SizeLimit uint64
	Flags     uint32
	Name      string
}

// Status is what LOOP_GET_STATUS64 returns. Dev, Ino and Rdev are those of the
// backing file, encoded as fstat(2) encodes them.
type Status struct {
	Dev, Ino, Rdev    uint64
	Offset, SizeLimit uint64
	Number            uint32
	Flags             uint32
	Name              string
}

// FileType is the type of a file, from the S_IFMT bits of its mode.
type FileType int

// The types that loop tells apart.
const (
	OtherFile FileType = iota
	RegularFile
	BlockDevice
	CharDevice
	Directory
)

// String returns the type with its article, for error texts.
func (t FileType) String() string {
	switch t {
	case RegularFile:
		return "a regular file"
	case BlockDevice:
		return "a block device"
	case CharDevice:
		return "a character device"
	case Directory:
		return "a directory"
	}
	return "a file of another type"
}

// Stat is the part of struct stat that loop looks at.
type Stat struct {
	Type     FileType
	Dev, Ino uint64
	Rdev     uint64
	Size     int64
}

// Access is what an open file description allows.
type Access struct {
	Read, Write bool
	Append      bool
	Sealed      bool // a memfd whose seals forbid writing
}
