package repart_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/spec/repart"
)

// directories writes definitions into three directories, of which the first counts
// most, as those of /etc do.
func directories(t *testing.T) []string {
	t.Helper()
	dirs := []string{
		define(t, "20-b.conf\nType=home\nWeight=300", "40-masked.conf", "10-a.conf.d/20.conf\nWeight=77", "50-masked.conf"),
		define(t, "10-a.conf\nType=root\nWeight=1", "20-b.conf\nType=srv", "10-a.conf.d/20.conf\nWeight=88", "10-a.conf.d/30.conf\nLabel=second", "40-masked.conf\nType=var"),
		define(t, "10-a.conf\nType=tmp", "30-c.conf\nType=swap", "10-a.conf.d/30.conf\nLabel=third", "10-a.conf.d/10.conf\nPaddingWeight=9", "50-masked.conf\nType=var"),
	}
	require.NoError(t, os.Remove(filepath.Join(dirs[0], "50-masked.conf")))
	require.NoError(t, os.Symlink(os.DevNull, filepath.Join(dirs[0], "50-masked.conf")))
	return dirs
}

// TestDirectories compares with what systemd-repart makes of the same directories.
func TestDirectories(t *testing.T) {
	fixture.RequireTool(t, "systemd-repart", "sfdisk")
	fixture.RequireRoot(t)
	dirs := directories(t)
	want := table(t, systemdRepart(t, dirs[0], "100M", "--definitions="+dirs[1], "--definitions="+dirs[2]))
	name, _ := buildAll(t, dirs, repart.Options{Seed: seed, Size: 100 * image.MiB})
	require.Equal(t, want, table(t, name))
}

func TestLoadErrors(t *testing.T) {
	empty := t.TempDir()
	_, err := repart.Load([]string{empty, empty}, repart.Options{})
	require.EqualError(t, err, empty+", "+empty+": no definitions: want files such as 10-root.conf")
	_, err = repart.Load(append(directories(t), "/nothing"), repart.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = repart.Load(nil, repart.Options{})
	require.EqualError(t, err, "no directory of definitions: want at least one")
}
