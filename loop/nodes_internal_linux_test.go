package loop

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/loop/internal/sys"
)

// Where no devtmpfs can be mounted, the nodes are made in a tmpfs. This test
// lives inside the package to say that none can, and so cannot use fixture.
func TestNodesInATmpfs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	n := nodes{noDevtmpfs: errors.New("not permitted")}
	defer n.close()
	null := DeviceNumber{1, 3}
	for range 2 { // the second finds what the first has made
		dir, err := n.private("loop-test", sys.CharDevice, null)
		require.NoError(t, err)
		require.Equal(t, n.tmpfs, dir)
	}
	fd, path, err := n.open("loop-test", sys.CharDevice, null, sys.ReadWrite)
	require.NoError(t, err)
	defer sys.Close(fd)
	require.Equal(t, privatePath(n.tmpfs, "loop-test"), path)

	// A number that the name had before is corrected.
	zero := DeviceNumber{1, 5}
	_, err = n.private("loop-test", sys.CharDevice, zero)
	require.NoError(t, err)
	require.True(t, nodeAt(path, sys.CharDevice, zero))
}
