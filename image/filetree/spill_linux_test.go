package filetree_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/fixture/mount"
	"github.com/drivebay/drivebay/image/filetree"
)

// TestFullTemporaryDirectory keeps in memory what no temporary file has room for.
func TestFullTemporaryDirectory(t *testing.T) {
	fixture.RequireRoot(t)
	fixture.RequireFS(t, "tmpfs")
	const pages = 10
	m, err := mount.New("tmpfs", "none", mount.Options{Parameters: []string{fmt.Sprint("size=", pages*unix.Getpagesize())}})
	require.NoError(t, err)
	t.Cleanup(func() {
		// The tree's files are in it until it is garbage.
		if err := m.Close(); !errors.Is(err, mount.ErrBusy) {
			require.NoError(t, err)
		}
	})
	t.Setenv("TMPDIR", m.Path())

	const files = 80_000 // of which no tree keeps more than 65,536 in memory
	tr := filetree.New()
	for i := range files {
		set(t, tr, fmt.Sprintf("%06d", i), filetree.Entry{UID: uint32(i)})
	}
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(m.Path(), &st))
	require.Zero(t, st.Bavail, "it is full")
	last := -1
	require.NoError(t, tr.Walk(func(n filetree.Node) error {
		if !n.IsDir() && (n.UID() != uint32(last+1) || n.Name() != fmt.Sprintf("%06d", last+1)) {
			return fmt.Errorf("file %s of owner %d after file %d", n.Name(), n.UID(), last)
		} else if !n.IsDir() {
			last++
		}
		return nil
	}))
	require.Equal(t, files-1, last)
}
