package drives

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/guests/internal/nvmecli"
	"github.com/drivebay/drivebay/nvme"
)

// run runs nvme-cli, and returns what it prints and why the command has failed:
// the [nvme.Status] that the drive has answered with, or os.ErrPermission where the
// kernel has kept it from the drive. Anything else fails the test.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := nvmecli.Run(t.Context(), fixture.RequireTool(t, "nvme"), args...)
	return out, known(t, err)
}

// cause makes of an error of ours what run returns.
func cause(t *testing.T, err error) error {
	t.Helper()
	return known(t, nvmecli.Cause(err))
}

// known wants an error, if there is one, to be a status or the kernel's refusal.
func known(t *testing.T, err error) error {
	t.Helper()
	if status := nvme.Status(0); errors.As(err, &status) || errors.Is(err, os.ErrPermission) {
		return err
	}
	require.NoError(t, err)
	return nil
}
