// The program is an init that does nothing: it says on the console that it runs,
// and restarts, on which QEMU exits.
package main

import "syscall"

func main() {
	_, _ = syscall.Write(1, []byte("init runs\n"))
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
}
