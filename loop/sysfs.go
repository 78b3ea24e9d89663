package loop

import (
	"os"
	"strconv"
	"strings"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

const sysBlock = "/sys/block/"

// sysfsString reads an attribute without the newline that ends it. Only that
// one: the name of a backing file may hold newlines itself.
func sysfsString(path string) (string, error) {
	fd, err := sys.Open(path, sys.ReadOnly)
	if err != nil {
		return "", err
	}
	defer sys.Close(fd)
	// One read gives a whole attribute, which is at most a page.
	var page [4096]byte
	n, err := sys.Read(fd, page[:])
	if err != nil {
		return "", &os.PathError{Op: "read", Path: path, Err: err}
	}
	return strings.TrimSuffix(string(page[:n]), "\n"), nil
}

// sysfsInt reads an attribute that is a number.
func sysfsInt(path string) (int64, error) {
	s, err := sysfsString(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(s, 10, 64)
}

// sysfsNumber reads the device number of a block device or partition from its
// directory, or of a character device.
func sysfsNumber(dir string) (DeviceNumber, error) {
	s, err := sysfsString(dir + "/dev")
	if err != nil {
		return DeviceNumber{}, err
	}
	return parseDeviceNumber(s)
}
