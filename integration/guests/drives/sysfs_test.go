package drives

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCaptureSysfs writes what sysfs says of the machine's drives, two of which
// share a namespace, into the artifact directory: a line for each attribute, of its
// path and its value. nvme/testdata/sysfs/capture.sh runs it, and keeps what it
// writes as the trees that package nvme tests its discovery on.
func TestCaptureSysfs(t *testing.T) {
	pair(t)
	var release, tree strings.Builder
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	require.NoError(t, err)
	major, minor, _ := strings.Cut(strings.TrimSpace(string(b)), ".")
	minor, _, _ = strings.Cut(minor, ".")
	fmt.Fprintf(&release, "%s.%s.txt", major, minor)
	sys := os.DirFS("/sys")
	for _, class := range []string{"class/nvme-subsystem", "class/nvme", "class/nvme-generic"} {
		capture(t, &tree, sys, class, 3)
	}
	out := filepath.Join(t.ArtifactDir(), release.String())
	require.NoError(t, os.WriteFile(out, []byte(tree.String()), 0o644))
}

// capture writes the attributes below a directory that are single lines. It follows
// the symbolic links that sysfs is made of, to the devices that belong to NVMe.
func capture(t *testing.T, out *strings.Builder, sys fs.FS, dir string, depth int) {
	entries, err := fs.ReadDir(sys, dir)
	require.NoError(t, err)
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		info, err := fs.Stat(sys, name)
		switch {
		case err != nil:
			t.Logf("left out: %v", err)
		case !info.IsDir():
			b, err := fs.ReadFile(sys, name)
			if value := strings.TrimSpace(string(b)); err == nil && value != "" && !strings.Contains(value, "\n") {
				fmt.Fprintf(out, "%s %s\n", name, value)
			}
		case e.Name() == "queue":
			b, err := fs.ReadFile(sys, name+"/logical_block_size")
			require.NoError(t, err)
			fmt.Fprintf(out, "%s/logical_block_size %s\n", name, strings.TrimSpace(string(b)))
		case depth > 1 && (strings.HasPrefix(e.Name(), "nvme") || strings.HasPrefix(e.Name(), "ng")):
			// The mark stands for a directory of which nothing else is kept.
			fmt.Fprintf(out, "%s/uevent -\n", name)
			capture(t, out, sys, name, depth-1)
		}
	}
}
