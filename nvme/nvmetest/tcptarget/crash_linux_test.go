package tcptarget_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/nvme/nvmetest"
	"github.com/drivebay/drivebay/nvme/nvmetest/tcptarget"
)

// childEnv makes this test's program a process that attaches a drive and waits to
// be killed.
const childEnv = "TCPTARGET_TEST_CHILD"

func TestKernelLetsGoOfADeadProcess(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		attachAndWait(t)
		return
	}
	requireKernelDriver(t)
	child := exec.Command("/proc/self/exe", "-test.run=^TestKernelLetsGoOfADeadProcess$", "-test.v")
	child.Env = append(os.Environ(), childEnv+"=1")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	t.Cleanup(func() { _ = child.Process.Kill() })
	name := ""
	for s := bufio.NewScanner(out); name == "" && s.Scan(); {
		name, _ = strings.CutPrefix(s.Text(), "attached ")
		if name == s.Text() {
			name = ""
		}
	}
	require.NotEmpty(t, name)
	dir := "/sys/class/nvme/" + name
	_, err = os.Stat(dir)
	require.NoError(t, err)
	require.NoError(t, child.Process.Kill())
	killed := time.Now()
	require.Error(t, child.Wait())
	require.Eventually(t, func() bool {
		_, err := os.Lstat(dir)
		return errors.Is(err, os.ErrNotExist)
	}, patience, 10*time.Millisecond)
	t.Logf("the kernel had let go of %s after %v", name, time.Since(killed).Round(100*time.Millisecond))
}

func attachAndWait(t *testing.T) {
	drive, err := nvmetest.New(nvmetest.Consumer())
	require.NoError(t, err)
	a, err := tcptarget.Attach(t.Context(), drive, tcptarget.Options{Reconnect: time.Second})
	require.NoError(t, err)
	_, err = os.Stdout.WriteString("attached " + a.Name() + "\n")
	require.NoError(t, err)
	select {} // until it is killed
}
