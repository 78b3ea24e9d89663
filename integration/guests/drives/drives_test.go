package drives

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/guests/internal/nvmecli"
	"github.com/drivebay/drivebay/integration/vm/guest"
	"github.com/drivebay/drivebay/nvme"
)

// drive opens the controller that may be destroyed.
func drive(t *testing.T) (*nvme.Controller, string) { return open(t, "DRIVEBAY_DRIVE") }

// open opens the controller whose serial number an environment variable says.
func open(t *testing.T, variable string) (*nvme.Controller, string) {
	serial := os.Getenv(variable)
	if serial == "" {
		t.Skipf("%s names no drive", variable)
	}
	fixture.RequireRoot(t)
	controllers, err := filepath.Glob("/sys/class/nvme/nvme*")
	require.NoError(t, err)
	for _, dir := range controllers {
		b, err := os.ReadFile(dir + "/serial")
		require.NoError(t, err)
		if strings.TrimSpace(string(b)) != serial {
			continue
		}
		path := "/dev/" + filepath.Base(dir)
		c, err := nvme.Open(t.Context(), path)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		return c, path
	}
	t.Fatalf("no drive has the serial number %q among %q", serial, controllers)
	return nil, ""
}

// cli returns what nvme-cli prints of a page, as JSON.
func cli(t *testing.T, args ...string) any {
	t.Helper()
	page, err := nvmecli.Page(t.Context(), fixture.RequireTool(t, "nvme"), args...)
	require.NoError(t, err)
	return page
}

func parse(t *testing.T, b []byte) any {
	t.Helper()
	v, err := nvmecli.Parse(b)
	require.NoError(t, err, "%s", b)
	return v
}

// requireSame compares what nvme-cli has with ours, member by member.
func requireSame(t *testing.T, ours any, theirs any) {
	t.Helper()
	differences, err := nvmecli.Differences(ours, theirs)
	require.NoError(t, err)
	require.Empty(t, differences)
}

// TestFormat formats to every LBA format, with metadata apart and in the blocks and
// with all kinds of protection, and lets nvme-cli and the kernel tell the result.
func TestFormat(t *testing.T) {
	c, path := drive(t)
	before, err := c.IdentifyNamespace(t.Context(), 1)
	require.NoError(t, err)
	b, err := json.Marshal(before)
	require.NoError(t, err)
	formats := parse(t, b).(map[string]any)["lbafs"].([]any)
	n := 0
	for i, f := range formats {
		number := func(name string) int {
			v, err := f.(map[string]any)[name].(json.Number).Int64()
			require.NoError(t, err)
			return int(v)
		}
		for _, o := range combinations(i, number("ms")) {
			t.Run(fmt.Sprintf("LBA format %d, extended %t, protection %d, first %t", i, o.ExtendedLBA, o.Protection, o.ProtectionFirst), func(t *testing.T) {
				require.NoError(t, c.Format(t.Context(), o))
				got, err := c.IdentifyNamespace(t.Context(), 1)
				require.NoError(t, err)
				requireSame(t, got, cli(t, "id-ns", path, "-n", "1"))
				requireKernel(t, path+"n1", 1<<number("ds"), number("ms"))
			})
			n++
		}
	}
	require.Greater(t, n, 8)
	require.NoError(t, c.Format(t.Context(), nvme.FormatOptions{NSID: 1}))
}

func combinations(format, metadata int) []nvme.FormatOptions {
	all := []nvme.FormatOptions{{NSID: 1, Format: format}}
	if metadata == 0 {
		return all
	}
	all = append(all, nvme.FormatOptions{NSID: 1, Format: format, ExtendedLBA: true})
	for protection := uint8(1); protection <= 3; protection++ {
		for _, first := range []bool{false, true} {
			all = append(all, nvme.FormatOptions{
				NSID: 1, Format: format, Protection: protection, ProtectionFirst: first, ExtendedLBA: first,
			})
		}
	}
	return all
}

// requireKernel wants the kernel to have seen the new size of blocks. One with
// metadata that it cannot handle it gives no capacity.
func requireKernel(t *testing.T, path string, block, metadata int) {
	b, err := os.ReadFile("/sys/block/" + filepath.Base(path) + "/queue/logical_block_size")
	require.NoError(t, err)
	if metadata == 0 {
		require.Equal(t, fmt.Sprint(block), strings.TrimSpace(string(b)))
	}
}

func TestReadAndWrite(t *testing.T) {
	c, path := drive(t)
	for _, format := range []int{0, 4} { // 512 and 4096 bytes, no metadata
		require.NoError(t, c.Format(t.Context(), nvme.FormatOptions{NSID: 1, Format: format}))
		ns, err := c.Namespace(t.Context(), 1)
		require.NoError(t, err)
		data := bytes.Repeat([]byte("drivebay"), ns.BlockBytes()) // 8 blocks
		require.NoError(t, ns.Write(t.Context(), 16, data, nvme.IOOptions{}))
		require.NoError(t, ns.Flush(t.Context()))
		require.NoError(t, ns.Compare(t.Context(), 16, data, nvme.IOOptions{}))
		got := make([]byte, len(data))
		require.NoError(t, ns.Read(t.Context(), 16, got, nvme.IOOptions{}))
		require.Equal(t, data, got)

		f, err := os.Open(path + "n1")
		require.NoError(t, err)
		kernels := make([]byte, len(data))
		_, err = f.ReadAt(kernels, int64(16*ns.BlockBytes()))
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Equal(t, data, kernels, "what the kernel reads")

		data[0] ^= 1
		err = ns.Compare(t.Context(), 16, data, nvme.IOOptions{})
		var e *nvme.CommandError
		require.ErrorAs(t, err, &e)
		t.Log(err)
	}
}

func TestReset(t *testing.T) {
	c, _ := drive(t)
	before, err := c.Identify(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Reset(t.Context()))
	after, err := c.Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Error(t, c.ResetSubsystem(context.WithoutCancel(t.Context())), "QEMU has no subsystem reset")
}

// unplugLimit is how long the kernel may take to let go of a drive. It waits some
// seconds for somebody to press the button once more, and a busy host makes it slow.
const unplugLimit = 5 * time.Minute

// TestHotUnplug pulls the drive out while commands are under way: each of them
// ends, with an error once the drive is gone, and nothing hangs. In the end it is
// nvme.ErrGone.
func TestHotUnplug(t *testing.T) {
	c, path := open(t, "DRIVEBAY_DRIVE_TO_UNPLUG")
	id := os.Getenv("DRIVEBAY_DRIVE_TO_UNPLUG")
	ended := make(chan error)
	started := make(chan struct{}, 2)
	for _, node := range []string{path, path + "n1"} {
		go func() { ended <- writeForever(node, started) }()
	}
	for range 2 {
		select {
		case <-started:
		case err := <-ended:
			t.Fatal(err)
		}
	}
	_, err := guest.Host("device_del", map[string]any{"id": id})
	require.NoError(t, err)
	for range 2 {
		select {
		case err := <-ended:
			t.Log("the last command: ", err)
			require.True(t, isUnplugged(err), "%v", err)
		case <-time.After(unplugLimit):
			t.Fatalf("commands go on, %v after the drive was pulled out", unplugLimit)
		}
	}
	for end := time.Now().Add(unplugLimit); ; time.Sleep(10 * time.Millisecond) {
		_, err := c.Identify(t.Context())
		if errors.Is(err, nvme.ErrGone) {
			break
		}
		require.True(t, isUnplugged(err), "while the kernel removes it: %v", err)
		require.True(t, time.Now().Before(end), "%s is still there", path)
	}
	require.NoFileExists(t, path+"n1")
}

// isUnplugged reports whether the error is one that a command may end with as its
// drive is pulled out.
func isUnplugged(err error) bool {
	for _, want := range []error{
		nvme.ErrGone, nvme.StatusHostPathError, nvme.StatusAbortedByHost,
		nvme.ErrNotNVMe, // by the controller's node, once it has no namespace
		syscall.EIO,
	} {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

// writeForever writes until that fails. Started gets a value when it is at it.
func writeForever(node string, started chan<- struct{}) error {
	ctx := context.Background()
	c, err := nvme.Open(ctx, node)
	if err != nil {
		return err
	}
	defer c.Close()
	ns, err := c.Namespace(ctx, 1)
	if err != nil {
		return err
	}
	data := make([]byte, 64<<10)
	for n := 0; ; n++ {
		if n == 10 {
			started <- struct{}{}
		}
		if err := ns.Write(ctx, 0, data, nvme.IOOptions{}); err != nil {
			return err
		}
	}
}
