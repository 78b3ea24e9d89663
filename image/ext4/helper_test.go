package ext4_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/volume"
)

var (
	seed    = uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001")
	created = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
)

// geometry is a volume of size bytes, 0 for the smallest.
func geometry(size int64) volume.Geometry {
	return volume.Geometry{SectorSize: 512, Size: size, Seed: seed, Time: created}
}

// write plans a file system and writes it to a file.
func write(t testing.TB, fs *ext4.FileSystem, size int64) string {
	t.Helper()
	p, err := fs.Plan(t.Context(), geometry(size))
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "ext4.img")
	writePlan(t, p, name)
	return name
}

func writePlan(t testing.TB, p volume.Plan, name string) {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(p.Info().Size))
	w := volume.NewWriter(f, p.Info().Size)
	defer w.Close()
	require.NoError(t, p.Write(context.Background(), w))
	require.NoError(t, w.Flush())
}

// tool runs a program of e2fsprogs and returns what it prints.
func tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(fixture.RequireTool(t, name), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBUGFS_PAGER=__none__")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v\n%s", name, args, out)
	return string(out)
}

// fsck fails the test where e2fsck has anything to say beyond its passes.
func fsck(t testing.TB, image string) {
	t.Helper()
	out := tool(t, "e2fsck", "-fn", image)
	require.Regexp(t, `\Ae2fsck .*
Pass 1: Checking inodes, blocks, and sizes
Pass 2: Checking directory structure
Pass 3: Checking directory connectivity
Pass 4: Checking reference counts
Pass 5: Checking group summary information
.*: \d+/\d+ files \(.*% non-contiguous\), \d+/\d+ blocks
\z`, out)
}
