package tcptarget_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// logKernel logs what the kernel has said of NVMe, if the test has failed.
func logKernel(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		b := make([]byte, 8192)
		for {
			n, err := unix.Read(fd, b)
			if err != nil || n <= 0 {
				return
			}
			if line, _, _ := strings.Cut(string(b[:n]), "\n"); strings.Contains(line, "nvme") {
				t.Log(line)
			}
		}
	})
}
