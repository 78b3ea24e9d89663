package mkfs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/mkfs"
)

// TestInChroot makes file systems where the root directory is no mount: in a chroot,
// as the tools that bootstrap a distribution work in.
func TestInChroot(t *testing.T) {
	fixture.RequireRoot(t)
	fixture.RequireTool(t, "mkfs.btrfs", "unshare", "chroot")
	const env = "DRIVEBAY_IN_CHROOT"
	if os.Getenv(env) != "" {
		tree := filetree.New()
		_, err := tree.Add("file", filetree.File([]byte("content"), 0o644))
		require.NoError(t, err)
		for _, tree := range []*filetree.Tree{nil, tree} {
			layout := image.Layout{Table: image.NoTable, Partitions: []image.Partition{{
				Size: 256 * image.MiB, Content: &mkfs.FileSystem{Type: mkfs.Btrfs, Tree: tree, UUID: id},
			}}}
			_, err := image.Build(t.Context(), filepath.Join(t.TempDir(), "disk.img"), layout, image.Options{})
			require.NoError(t, err)
		}
		return
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	root := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-ec", `
		cd "$0"
		for dir in /*; do
			[ -d $dir ] && [ ! -L $dir ] && mkdir .$dir && mount --rbind $dir .$dir
			[ -L $dir ] && cp -d $dir .$dir
		done
		cp "$1" exe
		exec chroot . /exe -test.run '^TestInChroot$'`, root, exe)
	cmd.Env = append(os.Environ(), env+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "PASS")
}
