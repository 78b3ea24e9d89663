package guest

import (
	"fmt"
	"os"
)

// startUdev starts udevd and waits until it has seen the devices that are there.
func startUdev() error {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	console, err := os.OpenFile("/dev/console", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer console.Close()
	env := []string{"PATH=/usr/sbin:/usr/bin"}
	for _, args := range [][]string{
		{udevd, "--daemon"},
		{"/usr/bin/udevadm", "trigger", "--action=add"},
		{"/usr/bin/udevadm", "settle", "--timeout=300"}, // it is seconds, but on a busy host
	} {
		pid, err := spawn(args[0], args, env, "/", null, console, console)
		if err != nil {
			return err
		}
		status, err := reap(pid)
		if err != nil {
			return err
		}
		if status != 0 {
			return fmt.Errorf("udev: %q: exit status %d", args, status.ExitStatus())
		}
	}
	return nil
}
