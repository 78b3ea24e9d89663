package loop_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/loop"
)

// children are what a child process of the tests can do. Those of the first
// group print the device's sequence number when they have come to the point of
// their name, and wait to be killed.
var children = map[string]func() error{
	"attached": func() error {
		return untilKilled(func(*loop.Device) error { return nil })
	},
	"partitioned": func() error {
		return untilKilled(func(d *loop.Device) error {
			_, err := d.AddPartition(context.Background(), 1, mib, mib)
			return err
		})
	},
	"partition open": func() error {
		return untilKilled(func(d *loop.Device) error {
			p, err := d.AddPartition(context.Background(), 1, mib, mib)
			if err != nil {
				return err
			}
			_, err = p.Open(os.O_RDWR)
			return err
		})
	},
	"writing": func() error {
		return untilKilled(func(d *loop.Device) error {
			go func() {
				for b := make([]byte, mib); ; {
					_, _ = d.File().WriteAt(b, 0)
				}
			}()
			return nil
		})
	},
	"attach " + exclusive:    attachExclusively,
	"nodes in a plain tmpfs": nodesInPlainTmpfs,
	"nodes of other devices": nodesOfOtherDevices,
}

// untilKilled attaches a file, comes to the point and stays there.
func untilKilled(point func(*loop.Device) error) error {
	fd, err := unix.MemfdCreate(os.Getenv(childMark), unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "memfd")
	if err := f.Truncate(4 * mib); err != nil {
		return err
	}
	d, err := loop.Attach(context.Background(), f, loop.Options{})
	if err != nil {
		return err
	}
	if err := point(d); err != nil {
		return err
	}
	fmt.Println(d.DiskSeq(), d.Name())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// childMark tells a child the mark of the run.
const childMark = "LOOP_TEST_MARK"

// child returns a command that runs one of children.
func child(t *testing.T, name string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+name, childMark+"="+mark())
	cmd.Stderr = os.Stderr
	return cmd
}

func TestKilledProcessLeavesNothing(t *testing.T) {
	fixture.RequireLoop(t)
	for _, point := range []string{"attached", "partitioned", "partition open", "writing"} {
		t.Run(point, func(t *testing.T) {
			cmd := child(t, point)
			stdin, err := cmd.StdinPipe()
			require.NoError(t, err)
			defer stdin.Close()
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			line, err := bufio.NewReader(stdout).ReadString('\n')
			require.NoError(t, err)
			seq, name, _ := strings.Cut(strings.TrimSpace(line), " ")
			diskSeq, err := strconv.ParseUint(seq, 10, 64)
			require.NoError(t, err)
			require.True(t, bound(t, diskSeq))

			require.NoError(t, cmd.Process.Kill())
			require.Error(t, cmd.Wait())
			await(t, name+" is unbound", func() bool { return !bound(t, diskSeq) })
			requireNoPartition(t, name, name+"p1")
		})
	}
}
