package loop

import (
	"os"
	"strconv"
	"strings"
)

const sysBlock = "/sys/block/"

// sysfsString reads an attribute without the newline that ends it. Only that
// one: the name of a backing file may hold newlines itself.
func sysfsString(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(b), "\n"), nil
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
