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

// TestQuickstart runs the example on what is hard to read back.
func TestQuickstart(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "quickstart")
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", exe, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	const want = "names compared: owners, permissions, times, attributes, links, and every byte"
	for _, tc := range []struct {
		name string
		make func(t *testing.T, dir string)
	}{
		{"plain", func(*testing.T, string) {}},
		{"long name", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, strings.Repeat("n", 255)), nil, 0o644))
		}},
		{"holes", func(t *testing.T, dir string) {
			name := filepath.Join(dir, "sparse")
			require.NoError(t, os.WriteFile(name, []byte("begins"), 0o644))
			require.NoError(t, os.Truncate(name, 1<<20))
		}},
		{"links", func(t *testing.T, dir string) {
			require.NoError(t, os.Link(filepath.Join(dir, "f"), filepath.Join(dir, "g")))
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
			require.Contains(t, out.String(), want)
		})
	}
}
