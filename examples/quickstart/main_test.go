package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestQuickstart runs the example on what go-diskfs cannot read back, which is
// left out and no failure.
func TestQuickstart(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "quickstart")
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", exe, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, tc := range []struct {
		name, want string
		make       func(t *testing.T, dir string)
	}{
		{"plain", "names compared: types, permissions, sizes, contents, links", func(*testing.T, string) {}},
		{"long name", "left out, go-diskfs cannot read it: ", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, strings.Repeat("n", 255)), nil, 0o644))
		}},
		{"holes", "left out, go-diskfs cannot read it: ", func(t *testing.T, dir string) {
			name := filepath.Join(dir, "sparse")
			require.NoError(t, os.WriteFile(name, []byte("begins"), 0o644))
			require.NoError(t, os.Truncate(name, 1<<20))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), []byte("text"), 0o644))
			tc.make(t, dir)
			var out bytes.Buffer
			cmd := exec.CommandContext(t.Context(), exe, dir)
			cmd.Stdout, cmd.Stderr = &out, &out
			require.NoError(t, cmd.Run(), "%s", &out)
			require.Contains(t, out.String(), tc.want)
		})
	}
}
