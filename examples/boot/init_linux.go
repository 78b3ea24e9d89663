package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"syscall"
)

// runInit is what the disk boots to.
func runInit(_ context.Context, _ []string, console io.Writer) error {
	for _, mount := range [][2]string{{"proc", "/proc"}, {"sysfs", "/sys"}} {
		if err := os.MkdirAll(mount[1], 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(mount[0], mount[1], mount[0], 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", mount[1], err)
		}
	}
	firmware := "BIOS"
	if _, err := os.Stat("/sys/firmware/efi"); err == nil {
		firmware = "UEFI"
	}
	arguments, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	fmt.Fprintf(console, "booted by %s: %s", firmware, arguments)
	return syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}
