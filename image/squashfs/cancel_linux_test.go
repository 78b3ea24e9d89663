package squashfs_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/volume"
)

// cancelling is a content that ends a context when it has been read for a while.
type cancelling struct {
	cancel func()
	read   int64
}

func (c *cancelling) Read(p []byte) (int, error) {
	if c.read += int64(len(p)); c.read > 1<<20 {
		c.cancel()
	}
	clear(p)
	p[0] = byte(c.read >> 10) // no hole
	return len(p), nil
}

func (c *cancelling) Close() error { return nil }

// TestPlanEndsWithItsContext cancels it in the midst of a file of 1 TiB.
func TestPlanEndsWithItsContext(t *testing.T) {
	cause := errors.New("the cause")
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	content := &cancelling{cancel: func() { cancel(cause) }}
	tr := filetree.New()
	_, err := tr.Add("large", filetree.Entry{Size: 1 << 40, Data: []filetree.Range{{Length: 1 << 40}},
		Open: func() (filetree.Content, error) { return content, nil }})
	require.NoError(t, err)
	fs := &squashfs.FileSystem{Tree: tr, Compression: squashfs.None, TempDir: dir}
	defer fs.Close()

	_, err = fs.Plan(ctx, volume.Geometry{SectorSize: 512})
	require.ErrorIs(t, err, cause)
	require.Less(t, content.read, int64(64<<20))
	require.Empty(t, openBelow(t, dir))

	// One that has ended before reads nothing.
	before := content.read
	_, err = fs.Plan(ctx, volume.Geometry{SectorSize: 512})
	require.ErrorIs(t, err, cause)
	require.Equal(t, before, content.read)
	require.Empty(t, openBelow(t, dir))
}

// openBelow returns which files below a directory this process has open, those
// without a name among them, and which are there.
func openBelow(t *testing.T, dir string) (list []string) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, fd := range fds {
		name, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && strings.HasPrefix(name, dir) {
			list = append(list, name)
		}
	}
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, n := range names {
		list = append(list, n.Name())
	}
	return list
}
