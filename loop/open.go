package loop

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

// Open returns the bound loop device called name: "loop3", or the path of its
// node. Closing it does not unbind a device that others have open or that was
// made to persist; [Device.Detach] does.
//
// The error matches [fs.ErrNotExist] where there is no such device,
// [ErrNotLoop] for anything that is no loop device, also for a partition of
// one (through which the ioctls would reach the whole device), and
// [ErrNotBound] where no file is attached.
func Open(name string) (*Device, error) {
	if !sys.Supported {
		return nil, fmt.Errorf("loop: open %s: %w", name, errors.ErrUnsupported)
	}
	kernelName, err := kernelName(name)
	if err != nil {
		return nil, fmt.Errorf("loop: open %s: %w", name, err)
	}
	d, err := openBound(kernelName)
	if err != nil {
		return nil, fmt.Errorf("loop: open %s: %w", name, err)
	}
	return d, nil
}

// kernelName returns the kernel's name of the loop device meant by name.
func kernelName(name string) (string, error) {
	if !strings.ContainsRune(name, '/') {
		if _, ok := loopNumber(name); !ok {
			return "", fmt.Errorf("%w: want a name such as loop3, or a path", ErrNotLoop)
		}
		return name, nil
	}
	st, err := sys.StatPath(name)
	if err != nil {
		return "", err
	}
	if st.Type != sys.BlockDevice {
		return "", fmt.Errorf("%w, nor any block device", ErrNotLoop)
	}
	num := deviceNumber(st.Rdev)
	dir, err := os.Readlink("/sys/dev/block/" + num.String())
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && num.Major == sys.Major {
			return "", fmt.Errorf("device %v: %w", num, fs.ErrNotExist)
		}
		return "", fmt.Errorf("%w: device %v: %w", ErrNotLoop, num, err)
	}
	base := filepath.Base(dir)
	if _, ok := loopNumber(base); ok {
		return base, nil
	}
	if parent := filepath.Base(filepath.Dir(dir)); parent != "block" {
		return "", fmt.Errorf("%w: a partition of %s", ErrNotLoop, parent)
	}
	return "", fmt.Errorf("%w: this is %s", ErrNotLoop, base)
}

// openBound opens a device by the kernel's name of it.
func openBound(name string) (*Device, error) {
	num, err := sysfsNumber(sysBlock + name)
	if err != nil {
		return nil, err
	}
	d := &Device{dev: num}
	fd, path, err := d.nodes.open(name, sys.BlockDevice, num, sys.ReadWrite)
	if errors.Is(err, sys.EROFS) || errors.Is(err, sys.EACCES) {
		fd, path, err = d.nodes.open(name, sys.BlockDevice, num, sys.ReadOnly)
	}
	if err == nil {
		d.path, d.file = path, os.NewFile(uintptr(fd), path)
		err = d.readBack(fd)
	}
	if err != nil {
		_ = d.discard()
		if errors.Is(err, sys.ENXIO) {
			return nil, ErrNotBound
		}
		return nil, err
	}
	return d, nil
}
