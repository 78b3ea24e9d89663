package image_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/squashfs"
)

// largeTree is a tree that is not all in memory. Its temporary files are in a
// directory of their own; one of its last files loses them when it is opened.
func largeTree(t *testing.T) (tree *filetree.Tree, lose func()) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	lose = func() { loseFiles(t, dir) }
	tree = filetree.New()
	const files = 70_000 // more than 65,536
	for i := range files {
		e := filetree.Entry{Mode: 0o600}
		if i == files-1000 {
			e.Size = 1
			e.Open = func() (filetree.Content, error) { lose(); return io.NopCloser(strings.NewReader("x")), nil }
		}
		if _, err := tree.Add(fmt.Sprintf("%03d/%d", i/1000, i), e); err != nil {
			t.Fatal(err)
		}
	}
	return tree, lose
}

// loseFiles has all files that are open in a directory read as empty ones.
func loseFiles(t *testing.T, dir string) {
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	links, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	lost := 0
	for _, link := range links {
		fd, err := strconv.Atoi(filepath.Base(link))
		require.NoError(t, err)
		if name, _ := os.Readlink(link); strings.HasPrefix(name, dir) {
			require.NoError(t, unix.Dup3(int(null.Fd()), fd, unix.O_CLOEXEC))
			lost++
		}
	}
	require.NotZero(t, lost)
}

// TestLostMetadata has the temporary files of a tree fail, which is an error of
// whoever asks for what they held, in whatever goroutine.
func TestLostMetadata(t *testing.T) {
	layout := func(c image.Partition) *image.Layout {
		return &image.Layout{Table: image.NoTable, Partitions: []image.Partition{c}}
	}
	t.Run("in building", func(t *testing.T) {
		tree, lose := largeTree(t)
		l := layout(image.Partition{Content: &ext4.FileSystem{Tree: tree}})
		plan, err := l.Plan(t.Context())
		require.NoError(t, err)
		lose()
		name := filepath.Join(t.TempDir(), "image")
		require.ErrorIs(t, plan.Build(t.Context(), name, image.Options{}), filetree.ErrLost)
		require.NoFileExists(t, name)
		_, err = l.Plan(t.Context())
		require.ErrorIs(t, err, filetree.ErrLost)
	})
	t.Run("in compressing", func(t *testing.T) {
		tree, _ := largeTree(t)
		files := &squashfs.FileSystem{Tree: tree}
		defer files.Close()
		_, err := layout(image.Partition{Content: files}).Plan(t.Context())
		require.ErrorIs(t, err, filetree.ErrLost)
	})
}
