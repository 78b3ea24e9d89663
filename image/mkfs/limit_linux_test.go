package mkfs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/mkfs"
)

// TestXFSNeedsDescriptors wants the plan to say what a build would run into.
func TestXFSNeedsDescriptors(t *testing.T) {
	fixture.RequireTool(t, "mkfs.xfs")
	var old unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	t.Cleanup(func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &old)) })
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 300, Max: old.Max}))

	tree := filetree.New()
	add := func(name, content string) {
		_, err := tree.Add(name, filetree.File([]byte(content), 0o644))
		require.NoError(t, err)
	}
	for i := range 200 {
		add(fmt.Sprintf("filled%d", i), "x")
		add(fmt.Sprintf("empty%d", i), "")
	}
	f := &mkfs.FileSystem{Type: mkfs.XFS, Tree: tree}
	p, err := f.Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	write(t, p)
	add("one too many", "x")
	f.Drop = true // of its name
	_, err = f.Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	add("more", "x")
	_, err = f.Plan(t.Context(), geometry(0))
	require.ErrorIs(t, err, mkfs.ErrLimit)
	require.EqualError(t, err, "xfs: 201 files with a content: limit too low: they have to be open at once: "+
		"want a limit on open files (ulimit -Hn) of at least 301, it is 300")
}
