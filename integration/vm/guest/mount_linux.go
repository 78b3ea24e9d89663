package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// diskLimit is how long a driver may take to find the disks of its controller,
// which it does after the kernel has started init.
const diskLimit = time.Minute

func (m Mount) mount() error {
	disk, err := waitDisk(m.Serial)
	if err != nil {
		return fmt.Errorf("mount %s: %w", m.Target, err)
	}
	if err := os.MkdirAll(m.Target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(disk, m.Target, m.Type, 0, ""); err != nil {
		return fmt.Errorf("mount %s on %s as %s: %w", disk, m.Target, m.Type, err)
	}
	return nil
}

// waitDisk returns the path of the disk with a serial number. The kernel tells
// nobody but a listener to its uevents when a disk is there, so it is looked for.
func waitDisk(serial string) (string, error) {
	for end := time.Now().Add(diskLimit); ; time.Sleep(5 * time.Millisecond) {
		disks, err := filepath.Glob("/sys/block/*")
		if err != nil {
			return "", err
		}
		for _, disk := range disks {
			// NB: each path to a namespace of an NVMe subsystem is a disk too, but hidden.
			if hidden, err := os.ReadFile(disk + "/hidden"); err == nil && strings.TrimSpace(string(hidden)) != "0" {
				continue
			}
			for _, file := range []string{"/device/serial", "/serial"} { // of NVMe, of virtio
				b, err := os.ReadFile(disk + file)
				if err == nil && strings.TrimSpace(string(b)) == serial {
					return "/dev/" + filepath.Base(disk), nil
				}
			}
		}
		if time.Now().After(end) {
			return "", fmt.Errorf("no disk with the serial number %q in %v: there are %q", serial, diskLimit, disks)
		}
	}
}
