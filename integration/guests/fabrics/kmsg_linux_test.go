package fabrics

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// quiet fails the test if the kernel warns of anything from now on to its end.
// That it resets a controller when told to is a warning to it as well, that an
// emulated machine is slow, that it says less than it could, and that somebody opens a
// block device's node, which is there an instant before the device (block/bdev.c,
// blkdev_get_no_open); other warnings that the test causes are to be named, by a part
// of the line.
func quiet(t *testing.T, but ...string) {
	t.Helper()
	fd := openKernelLog(t)
	but = append(but, ": resetting controller", "hrtimer: interrupt took", "clocksource: ", "TSC found unstable", "callbacks suppressed",
		"block device autoloading is deprecated")
	t.Cleanup(func() {
		defer unix.Close(fd)
		for _, line := range withoutKnownBug(t, readKernelLog(t, fd)) {
			if line.level <= 4 && !slices.ContainsFunc(but, func(s string) bool { return strings.Contains(line.text, s) }) {
				t.Errorf("the kernel warns: %s", line.text)
			}
		}
	})
}

// withoutKnownBug leaves out, and logs, a warning with its trace that Linux 6.1 has of
// a keep-alive which nobody has stopped, as a54a93d0e359 does in Linux 6.11: see the
// documentation of package tcptarget. Other kernels have no such excuse.
func withoutKnownBug(t *testing.T, lines []kernelLine) []kernelLine {
	t.Helper()
	var uts unix.Utsname
	require.NoError(t, unix.Uname(&uts))
	if !strings.HasPrefix(unix.ByteSliceToString(uts.Release[:]), "6.1.") {
		return lines
	}
	at := func(text string) int {
		return slices.IndexFunc(lines, func(l kernelLine) bool { return strings.Contains(l.text, text) })
	}
	bug, end := at("insert_work+"), at("[ end trace ")
	if begin := at("[ cut here ]"); begin >= 0 && begin < bug && bug < end {
		for _, l := range lines[begin : end+1] {
			t.Log("Linux 6.1 warns of itself:", l.text)
		}
		return slices.Delete(lines, begin, end+1)
	}
	return lines
}

// kernelSays returns a function that returns what the kernel has said of NVMe
// since.
func kernelSays(t *testing.T) func() string {
	t.Helper()
	fd := openKernelLog(t)
	t.Cleanup(func() { _ = unix.Close(fd) })
	var all strings.Builder
	return func() string {
		for _, line := range readKernelLog(t, fd) {
			if strings.Contains(line.text, "nvme") {
				all.WriteString(line.text + "\n")
			}
		}
		return all.String()
	}
}

// openKernelLog opens the kernel's log at its end.
func openKernelLog(t *testing.T) int {
	t.Helper()
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	_, err = unix.Seek(fd, 0, unix.SEEK_END)
	require.NoError(t, err)
	return fd
}

// kernelLine is a line of the kernel's log: Documentation/ABI/testing/dev-kmsg.
type kernelLine struct {
	level int // 4 is a warning; less is worse
	text  string
}

// readKernelLog reads what is new.
func readKernelLog(t *testing.T, fd int) (lines []kernelLine) {
	t.Helper()
	b := make([]byte, 8192)
	for {
		n, err := unix.Read(fd, b)
		if err != nil || n <= 0 {
			require.ErrorIs(t, err, unix.EAGAIN)
			return lines
		}
		line, _, _ := strings.Cut(string(b[:n]), "\n")
		prefix, text, _ := strings.Cut(line, ";")
		priority, _, _ := strings.Cut(prefix, ",")
		v, err := strconv.Atoi(priority)
		require.NoError(t, err, "%s", line)
		lines = append(lines, kernelLine{v & 7, text})
	}
}
