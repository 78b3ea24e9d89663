package drives

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/nvme"
)

// statusText is how nvme-cli writes the status of a command that has failed.
var statusText = regexp.MustCompile(`NVMe status: .*\(0x([0-9a-f]+)\)`)

// run runs nvme-cli, and returns what it prints and why the command has failed:
// the [nvme.Status] that the drive has answered with, or os.ErrPermission where the
// kernel has kept it from the drive. Anything else fails the test.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(fixture.RequireTool(t, "nvme"), args...)
	out, err := cmd.CombinedOutput()
	if m := statusText.FindSubmatch(out); m != nil {
		status, err := strconv.ParseUint(string(m[1]), 16, 16)
		require.NoError(t, err)
		return string(out), nvme.Status(status)
	}
	if err != nil && bytes.Contains(out, []byte("Permission denied")) {
		return string(out), os.ErrPermission
	}
	require.NoError(t, err, "%v: %s", cmd.Args, out)
	return string(out), nil
}

// cause makes of an error of ours what run returns.
func cause(t *testing.T, err error) error {
	t.Helper()
	var e *nvme.CommandError
	switch {
	case errors.As(err, &e):
		return e.Status
	case errors.Is(err, os.ErrPermission):
		return os.ErrPermission
	}
	require.NoError(t, err)
	return nil
}
