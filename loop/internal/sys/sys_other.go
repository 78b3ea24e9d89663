//go:build !linux

package sys

import (
	"errors"
	"syscall"
)

// Supported tells whether this system has loop devices.
const Supported = false

// Flags of open(2) for [Open] and [OpenAt].
const (
	ReadOnly  = 0
	ReadWrite = 2
)

// Errors that loop branches on; never returned here.
const (
	EBUSY  = syscall.Errno(16)
	EINVAL = syscall.Errno(22)
	ENXIO  = syscall.Errno(6)
	ENOENT = syscall.Errno(2)
	ENODEV = syscall.Errno(19)
	ENOTTY = syscall.Errno(25)
	EROFS  = syscall.Errno(30)
	EACCES = syscall.Errno(13)
	EAGAIN = syscall.Errno(11)
)

func Open(string, int) (int, error)                { return -1, errors.ErrUnsupported }
func OpenAt(int, string, int) (int, error)         { return -1, errors.ErrUnsupported }
func Read(int, []byte) (int, error)                { return 0, errors.ErrUnsupported }
func Close(int)                                    {}
func LockShared(int) error                         { return errors.ErrUnsupported }
func Unlock(int) error                             { return errors.ErrUnsupported }
func Exists(string) bool                           { return false }
func Fstat(int) (Stat, error)                      { return Stat{}, errors.ErrUnsupported }
func StatAt(int, string) (Stat, error)             { return Stat{}, errors.ErrUnsupported }
func StatCached(string) (Stat, error)              { return Stat{}, errors.ErrUnsupported }
func StatPath(string) (Stat, error)                { return Stat{}, errors.ErrUnsupported }
func FileAccess(int) (Access, error)               { return Access{}, errors.ErrUnsupported }
func FreeNumber(int) (int, error)                  { return 0, errors.ErrUnsupported }
func AddDevice(int) (int, error)                   { return 0, errors.ErrUnsupported }
func Configure(int, *Config) error                 { return errors.ErrUnsupported }
func GetStatus(int) (Status, error)                { return Status{}, errors.ErrUnsupported }
func Clear(int) error                              { return errors.ErrUnsupported }
func ChangeBacking(int, int) error                 { return errors.ErrUnsupported }
func RereadTable(int) error                        { return errors.ErrUnsupported }
func SetCapacity(int) error                        { return errors.ErrUnsupported }
func SetDirectIO(int, bool) error                  { return errors.ErrUnsupported }
func SetBlockSize(int, int) error                  { return errors.ErrUnsupported }
func SizeBytes(int) (int64, error)                 { return 0, errors.ErrUnsupported }
func LogicalBlockSize(int) (int, error)            { return 0, errors.ErrUnsupported }
func DiskSeq(int) (uint64, error)                  { return 0, errors.ErrUnsupported }
func AddPartition(_, _ int, _, _ int64) error      { return errors.ErrUnsupported }
func DeletePartition(_, _ int) error               { return errors.ErrUnsupported }
func ResizePartition(_, _ int, _, _ int64) error   { return errors.ErrUnsupported }
func DetachedMount(string) (int, error)            { return -1, errors.ErrUnsupported }
func MakeNode(int, string, FileType, uint64) error { return errors.ErrUnsupported }
func SplitDev(uint64) (major, minor uint32)        { return 0, 0 }
func JoinDev(uint32, uint32) uint64                { return 0 }
