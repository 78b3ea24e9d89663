package loop_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/loop"
)

// Of many who attach one file in the same instant, one succeeds, and all others
// are told so.
func TestAttachIsExclusive(t *testing.T) {
	fixture.RequireLoop(t)
	const rivals = 16
	for _, persist := range []bool{false, true} {
		t.Run(fmt.Sprintf("persist=%t", persist), func(t *testing.T) {
			for range rounds(10) {
				f := memfd(t, mib)
				start := make(chan struct{})
				devices, errs := make(chan *loop.Device, rivals), make(chan error, rivals)
				for range rivals {
					go func() {
						<-start
						d, err := loop.Attach(context.Background(), f, loop.Options{Persist: persist})
						devices <- d
						errs <- err
					}()
				}
				close(start)
				var won []*loop.Device
				for range rivals {
					if d := <-devices; d != nil {
						won = append(won, d)
					}
					if err := <-errs; err != nil {
						require.ErrorIs(t, err, loop.ErrShared)
					}
				}
				for _, d := range won {
					require.NoError(t, d.Detach())
				}
				require.Len(t, won, 1)
				require.NoError(t, f.Close())
			}
		})
	}
}

// The same among processes: each says whether it has the file, and keeps it until
// its input ends.
func TestAttachIsExclusiveAmongProcesses(t *testing.T) {
	fixture.RequireLoop(t)
	f := namedFile(t, "disk", mib)
	const rivals = 6
	answers := make(chan string, rivals)
	for range rivals {
		cmd := child(t, "attach "+exclusive)
		cmd.Env = append(cmd.Env, childFile+"="+f.Name())
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		defer func() {
			require.NoError(t, stdin.Close())
			require.NoError(t, cmd.Wait())
		}()
		go func() {
			line, _ := bufio.NewReader(stdout).ReadString('\n')
			answers <- line
		}()
	}
	got := map[string]int{}
	for range rivals {
		got[<-answers]++
	}
	require.Equal(t, map[string]int{"attached\n": 1, "shared\n": rivals - 1}, got)
	found, err := loop.Find(f)
	require.NoError(t, err)
	require.Len(t, found, 1)
}

const (
	exclusive = "exclusively"
	childFile = "LOOP_TEST_FILE"
)

// attachExclusively attaches a file and keeps it until standard input ends.
func attachExclusively() error {
	f, err := os.OpenFile(os.Getenv(childFile), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	d, err := loop.Attach(context.Background(), f, loop.Options{})
	if errors.Is(err, loop.ErrShared) {
		fmt.Println("shared")
		return nil
	} else if err != nil {
		return err
	}
	fmt.Println("attached")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return d.Close()
}

// Somebody removes free devices from the machine (losetup and others have an
// option for it) while files are attached: the kernel's answer, ENXIO or ENOENT,
// is a reason to take another device.
func TestDevicesAreRemovedMeanwhile(t *testing.T) {
	fixture.RequireLoop(t)
	ctl, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(ctl)
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		f := memfd(t, mib)
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := attachError(t.Context(), f, loop.Options{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for removed, tries := 0, 0; removed < 8 && tries < 10_000; tries++ {
		n, err := unix.IoctlRetInt(ctl, unix.LOOP_CTL_GET_FREE)
		require.NoError(t, err)
		if unix.IoctlSetInt(ctl, unix.LOOP_CTL_REMOVE, n) == nil { // EBUSY: just attached
			removed++
		}
	}
	close(done)
	wg.Wait()
}

// As many devices at once as people have seen, with memory and descriptors in
// proportion: one file of the device each, and no mount for nodes.
func TestThousandDevices(t *testing.T) {
	fixture.RequireLoop(t)
	count := 1024
	if _, err := os.Stat("/run/udev/control"); err == nil {
		count = 128 // udevd starts a process for each, and an emulated machine is slow at that
	}
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	if limit.Cur < uint64(count)+200 {
		t.Skipf("needs %d open files, may have %d", count+200, limit.Cur)
	}
	existed, err := loopDevices()
	require.NoError(t, err)
	t.Cleanup(func() { removeDevices(t, existed) })

	f := memfd(t, mib)
	files := len(openFiles(t))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	devices := make([]*loop.Device, count)
	for i := range devices {
		devices[i], err = loop.Attach(t.Context(), f, loop.Options{AllowShared: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = devices[i].Close() })
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Len(t, openFiles(t), files+count)
	require.Less(t, (int64(after.HeapAlloc)-int64(before.HeapAlloc))/int64(count), int64(4<<10), "bytes for each Device")
	found, err := loop.Find(f)
	require.NoError(t, err)
	require.Len(t, found, count)
	for _, d := range devices {
		require.NoError(t, d.Close())
	}
	require.Len(t, openFiles(t), files)
}

// loopDevices returns the loop devices that exist.
func loopDevices() (map[string]bool, error) {
	entries, err := os.ReadDir("/sys/block")
	names := map[string]bool{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "loop") {
			names[e.Name()] = true
		}
	}
	return names, err
}

// removeDevices removes those that did not exist before and that nobody uses. One
// takes 45 ms; many at once take no longer.
func removeDevices(t *testing.T, existed map[string]bool) {
	ctl, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(ctl)
	now, err := loopDevices()
	require.NoError(t, err)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 128)
	for name := range now {
		if existed[name] {
			continue
		}
		var n int
		_, err := fmt.Sscanf(name, "loop%d", &n)
		require.NoError(t, err)
		slots <- struct{}{}
		wg.Go(func() {
			_ = unix.IoctlSetInt(ctl, unix.LOOP_CTL_REMOVE, n)
			<-slots
		})
	}
	wg.Wait()
}
