package ext4_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
)

// resize2fs grows an image that is not mounted, up to where the reserved
// descriptors end and beyond.
func TestGrowOffline(t *testing.T) {
	for _, blockSize := range []int{1024, 4096} {
		for _, to := range []int64{24 << 20, 300 << 20, 20 << 30} {
			t.Run(fmt.Sprintf("%d/%d", blockSize, to), func(t *testing.T) {
				image := write(t, &ext4.FileSystem{BlockSize: blockSize, Tree: manyFiles(t, 2000)}, 16<<20)
				require.NoError(t, os.Truncate(image, to))
				tool(t, "resize2fs", image)
				fsck(t, image)
				require.Equal(t, to/int64(blockSize), number(t, tool(t, "dumpe2fs", "-h", image), "Block count:"))
				require.Contains(t, debugfs(t, image, "ls -p /many"), "/file-0001999/")
			})
		}
	}
}
