package loop

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

// Info is a bound loop device, as sysfs shows it.
type Info struct {
	Name   string // "loop3"
	Number DeviceNumber
	// BackingFile is the path of the file as this process's root shows it; for
	// a memfd "/memfd:" and the name it was made with.
	BackingFile string
	// Deleted says that no directory has the file under that name any more, if
	// ever one had.
	Deleted   bool
	Offset    int64 // bytes
	SizeLimit int64 // bytes; 0: up to the end of the file
	Size      int64 // of the device, in bytes
	BlockSize int   // logical, in bytes
	ReadOnly  bool
	DirectIO  bool
	Autoclear bool   // unbound when the last descriptor is closed
	DiskSeq   uint64 // see [Device.DiskSeq]
}

// List returns every bound loop device of the machine, in the order of their
// numbers, from sysfs. It opens no device.
func List() ([]Info, error) {
	if !sys.Supported {
		return nil, fmt.Errorf("loop: list: %w", errors.ErrUnsupported)
	}
	numbers, err := loopNumbers()
	if err != nil {
		return nil, fmt.Errorf("loop: list: %w", err)
	}
	var infos []Info
	for _, n := range numbers {
		info, err := readInfo("loop" + strconv.Itoa(n))
		if isRace(err) {
			continue // unbound, or just being unbound
		}
		if err != nil {
			return nil, fmt.Errorf("loop: list: %w", err)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// Find returns the loop devices whose backing file is f: the same inode, under
// whatever name. Several parts of one file can be attached at once.
//
// It opens the devices that may be meant, for an instant; a device without
// another user that is closed in that instant is unbound at its end.
func Find(f *os.File) ([]Info, error) {
	if !sys.Supported {
		return nil, fmt.Errorf("loop: find: %w", errors.ErrUnsupported)
	}
	var found []Info
	err := control(f, func(fd int) error {
		st, err := sys.Fstat(fd)
		if err != nil {
			return err
		}
		numbers, err := loopNumbers()
		if err != nil {
			return err
		}
		found, err = findInode(numbers, fd, st)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("loop: find %s: %w", f.Name(), err)
	}
	return found, nil
}

// loopNumbers returns the numbers of all loop devices, bound or not.
func loopNumbers() ([]int, error) {
	dir, err := os.Open(sysBlock)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, name := range names {
		if n, ok := loopNumber(name); ok {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// loopNumber returns N of "loopN".
func loopNumber(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, "loop")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 20) // MINORBITS
	return int(n), err == nil && digits == strconv.FormatUint(n, 10)
}

// readInfo reads the attributes of one device. Of an unbound one it gives
// fs.ErrNotExist.
func readInfo(name string) (Info, error) {
	dir := sysBlock + name
	info := Info{Name: name}
	backing, err := sysfsString(dir + "/loop/backing_file")
	if err != nil {
		return Info{}, err
	}
	info.BackingFile, info.Deleted = splitDeleted(backing)
	if info.Number, err = sysfsNumber(dir); err != nil {
		return Info{}, err
	}
	for _, attr := range []struct {
		name string
		set  func(int64)
	}{
		{"loop/offset", func(n int64) { info.Offset = n }},
		{"loop/sizelimit", func(n int64) { info.SizeLimit = n }},
		{"size", func(n int64) { info.Size = n * 512 }},
		{"queue/logical_block_size", func(n int64) { info.BlockSize = int(n) }},
		{"ro", func(n int64) { info.ReadOnly = n != 0 }},
		{"loop/dio", func(n int64) { info.DirectIO = n != 0 }},
		{"loop/autoclear", func(n int64) { info.Autoclear = n != 0 }},
	} {
		n, err := sysfsInt(dir + "/" + attr.name)
		if err != nil {
			return Info{}, err
		}
		attr.set(n)
	}
	// Linux 5.15 and later.
	if seq, err := sysfsInt(dir + "/diskseq"); err == nil {
		info.DiskSeq = uint64(seq)
	}
	return info, nil
}

// splitDeleted takes the mark off that the kernel sets behind the path of a
// deleted file. A file can be called so as well; then it exists under that name.
func splitDeleted(path string) (string, bool) {
	bare, ok := strings.CutSuffix(path, " (deleted)")
	if !ok {
		return path, false
	}
	if _, err := os.Lstat(path); err == nil {
		return path, false
	}
	return bare, true
}
