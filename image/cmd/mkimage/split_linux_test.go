package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
)

// TestSplitAsSystemd compares the files that partitions are split off to with those
// of systemd-repart, by their names and every byte.
func TestSplitAsSystemd(t *testing.T) {
	systemd := fixture.RequireTool(t, "systemd-repart")
	fixture.RequireRoot(t)
	dir, ours, theirs := t.TempDir(), t.TempDir(), t.TempDir()
	blocks := filepath.Join(t.TempDir(), "blocks")
	machine := "%m"
	if id, _ := os.ReadFile("/etc/machine-id"); len(strings.TrimSpace(string(id))) != 32 {
		machine = "" // as in many a container
	}
	for i, text := range []string{
		"Type=root", "Type=home\nSplitName=-", "Type=21686148-6449-6e6f-744e-656564454649",
		"Type=srv\nSplitName=%n-%t-%T-%U\nUUID=0190a7b2-6dbe-4c5f-9e0b-4d1f2a3b4c5d", "Type=srv\nSplitName=%U",
		"Type=var\nSplitName=100%%\nLabel=a label", "Type=swap\nSplitName=%a-%w-%o-%A%B%M%W", "Type=swap\nSplitName=" + machine + "-%b-%H-%l-%v",
		"Type=tmp\nSplitName=",
	} {
		content := blocks + string(rune('0'+i))
		require.NoError(t, os.WriteFile(content, []byte(text+string(make([]byte, 4096-len(text)))), 0o644))
		text = "[Partition]\n" + text + "\nSizeMinBytes=64K\nSizeMaxBytes=64K\nCopyBlocks=" + content + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, string(rune('0'+i))+".conf"), []byte(text), 0o644))
	}
	const seed = "8f1c2c3e-0000-4000-8000-000000000001"
	out, err := exec.Command(systemd, "--empty=create", "--size=10M", "--dry-run=no", "--split=yes", "--definitions="+dir,
		"--seed="+seed, "--no-pager", "--pretty=no", filepath.Join(theirs, "disk.raw")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	_, _, err = mkimage(t, "build", "-q", dir, "--size", "10MiB", "--seed", seed, "--split", "-o", filepath.Join(ours, "disk.raw"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(theirs, "disk.raw"))) // the tables of both are compared elsewhere
	require.NoError(t, os.Remove(filepath.Join(ours, "disk.raw")))
	require.Equal(t, contents(t, theirs), contents(t, ours))
	require.Len(t, contents(t, ours), 8)
}

// contents returns the files of a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		files[e.Name()] = string(b)
	}
	return files
}
