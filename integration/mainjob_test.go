package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
)

func TestMain(m *testing.M) { fixture.Main(m) }

// TestKernelFindsEveryFile builds a disk from Go's own sources, more than 10,000
// files, and wants the kernel to find all of them in it, to the last byte.
func TestKernelFindsEveryFile(t *testing.T) {
	fixture.RequireFS(t, "ext4")
	out, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	want, err := filetree.FromDir(filepath.Join(strings.TrimSpace(string(out)), "src"))
	require.NoError(t, err)
	defer want.Close()
	require.Greater(t, want.Len(), 10_000)

	for _, sector := range []int{512, 4096} {
		t.Run(strconv.Itoa(sector), func(t *testing.T) {
			d := fixture.Disk(t, image.Layout{SectorSize: sector, Partitions: []image.Partition{
				{Name: "esp", Type: image.ESP, Size: 300 * image.MiB, Content: &fat.FileSystem{Label: "ESP"}},
				{Name: "root", Type: image.Root, FreePercent: 10, Content: &ext4.FileSystem{Tree: want, Label: "root"}},
			}}, fixture.OnDisk(t.TempDir()))
			e2fsck, err := exec.Command(fixture.RequireTool(t, "e2fsck"), "-fn", d.Partition(2).Path()).CombinedOutput()
			require.NoError(t, err, "%s", e2fsck)

			got, err := filetree.FromDir(d.Mount(2).Path())
			require.NoError(t, err)
			defer got.Close()
			diff, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{
				Skip: func(path string) bool { return path == "lost+found" },
			})
			require.NoError(t, err)
			require.Empty(t, diff)
		})
	}
}

// TestQuickstart runs the README's first command as a newcomer does.
func TestQuickstart(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "quickstart")
	out, err := exec.Command("go", "build", "-o", exe, module+"examples/quickstart").CombinedOutput()
	require.NoError(t, err, "%s", out)
	source := t.TempDir()
	require.NoError(t, os.WriteFile(source+"/file", []byte("text"), 0o644))

	temp := t.TempDir()
	cmd := exec.Command(exe, source)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	out, err = cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "2 names compared")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)

	out, err = exec.Command(exe, source+"/missing").CombinedOutput()
	require.Error(t, err)
	require.Equal(t, "quickstart: stat "+source+"/missing: no such file or directory\n", string(out))
}
