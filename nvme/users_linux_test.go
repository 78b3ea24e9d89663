package nvme_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/nvme"
)

// What a namespace's guard asks the kernel, on a block device that there is
// everywhere: one whose partition is mounted is somebody's as a whole.
func TestKernelKnowsWhoHasABlockDevice(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireFS(t, "ext4")
	d := fixture.Disk(t, image.Layout{Partitions: []image.Partition{
		{Name: "root", Size: 16 * image.MiB, Content: &ext4.FileSystem{}},
	}})
	require.False(t, nvme.Claimed(d.Path()))
	m := d.Mount(1)
	require.True(t, nvme.Claimed(d.Path()))
	require.NoError(t, m.Close())
	require.False(t, nvme.Claimed(d.Path()))
	require.False(t, nvme.Claimed("/nonexistent"), "no answer is none")
}

func TestUsersThroughANodeThatIsNotNVMe(t *testing.T) {
	n, err := nvme.OpenNode(t.Context(), "/dev/null")
	if err != nil {
		require.ErrorIs(t, err, nvme.ErrNotNVMe)
		return
	}
	defer n.Close()
	_, err = n.NamespaceUsers(1)
	require.ErrorIs(t, err, nvme.ErrNotNVMe)
}
