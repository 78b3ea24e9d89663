package guest

import (
	"fmt"
	"os"
	"strings"
)

// udevd is where distributions with systemd have it.
const udevd = "/usr/lib/systemd/systemd-udevd"

// udev adds udevd with the rules that make the links of disks.
func (k *packer) udev() error {
	const rules = "/usr/lib/udev/rules.d/"
	for _, name := range []string{"/usr/bin/udevadm", udevd} {
		if err := k.tool(unmerged(name)); err != nil {
			return fmt.Errorf("udev: %w", err)
		}
	}
	for _, name := range []string{"50-udev-default.rules", "60-block.rules", "60-persistent-storage.rules"} {
		path := unmerged(rules + name)
		if err := k.file(path, nameOf(path)); err != nil {
			return fmt.Errorf("udev: %w", err)
		}
	}
	return nil
}

// unmerged returns a path below /usr, without the /usr where it is not there: a
// distribution may have /lib apart.
func unmerged(path string) string {
	if _, err := os.Stat(path); err != nil {
		return strings.TrimPrefix(path, "/usr")
	}
	return path
}
