package repart_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/spec/repart"
)

// TestSubvolumes wants subvolumes where mkfs.btrfs makes some, and else to be told
// what is missing.
func TestSubvolumes(t *testing.T) {
	fixture.RequireRoot(t)
	fixture.RequireTool(t, "btrfs")
	usage, _ := exec.Command(fixture.RequireTool(t, "mkfs.btrfs"), "--help").CombinedOutput() // its status is 1
	dir := define(t, "1.conf\nType=root\nFormat=btrfs\nMakeDirectories=/a/b /plain /c\nSubvolumes=/ /a /a/b\nSubvolumes=/c\nMinimize=guess")
	if !strings.Contains(string(usage), "--subvol") {
		err := plan(t, dir, repart.Options{})
		require.ErrorContains(t, err, dir+`/1.conf:6: Format=btrfs: btrfs: "a": cannot be a subvolume: `)
		require.ErrorContains(t, err, "mkfs.btrfs has no option --subvol: want that of btrfs-progs 6.11 or later")
		return
	}
	name, p := build(t, dir, repart.Options{})
	disk, err := os.ReadFile(name)
	require.NoError(t, err)
	part := filepath.Join(t.TempDir(), "part")
	require.NoError(t, os.WriteFile(part, disk[p.Partitions[0].Start:p.Partitions[0].End()], 0o644))
	out, err := exec.Command("btrfs", "inspect-internal", "dump-tree", "-t", "root", part).CombinedOutput()
	require.NoError(t, err, "%s", out)
	var names []string
	for _, m := range regexp.MustCompile(`root ref key .* name (\S+)`).FindAllStringSubmatch(string(out), -1) {
		names = append(names, m[1])
	}
	require.ElementsMatch(t, []string{"a", "b", "c"}, names, "%s", out)
}
