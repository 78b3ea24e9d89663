package fabrics

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
)

// uevents listens to what the kernel tells of a drive's controller.
type uevents struct {
	fd   int
	name string // of the controller: "DEVNAME=nvme0"
	seen []string
}

// listen begins to listen to uevents: Documentation/driver-api and
// lib/kobject_uevent.c.
func listen(t *testing.T, name string) *uevents {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}))
	return &uevents{fd: fd, name: "DEVNAME=" + name}
}

// of listens to a drive's controller.
func of(t *testing.T, d *fixture.NVMeDrive) *uevents { return listen(t, d.Attached.Name()) }

// wait waits for a uevent that has a variable, such as "NVME_EVENT=connected".
func (u *uevents) wait(t *testing.T, want string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	b := make([]byte, 64<<10)
	for {
		left := time.Until(deadline)
		require.Positive(t, left, "no uevent has %s; of %s there were %q", want, u.name, u.seen)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(u.fd), Events: unix.POLLIN}}, int(left/time.Millisecond)+1)
		if err == unix.EINTR || err == nil && n == 0 {
			continue
		}
		require.NoError(t, err)
		n, err = unix.Read(u.fd, b)
		require.NoError(t, err)
		var variables []string
		for v := range bytes.SplitSeq(b[:n], []byte{0}) {
			variables = append(variables, string(v))
		}
		if !slices.Contains(variables, u.name) {
			continue
		}
		u.seen = append(u.seen, strings.Join(variables, " "))
		if slices.Contains(variables, want) {
			return
		}
	}
}
