package pending_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
)

// TestPublishWithoutProc runs TestPublish where there is no /proc, as in some
// chroots: a file without a name cannot be linked there.
func TestPublishWithoutProc(t *testing.T) {
	fixture.RequireRoot(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), fixture.RequireTool(t, "unshare"), "--mount",
		"sh", "-c", `mount -t tmpfs none /proc && exec "$0" -test.run='^TestPublish$' -test.v`, exe)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestPublish ")
}
