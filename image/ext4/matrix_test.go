package ext4_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/volume"
)

func TestEmptyIsCleanAtEverySize(t *testing.T) {
	// With blocks of 1 KiB the descriptors fill the groups.
	largest := map[int]int64{1024: 1 << 39, 2048: 1 << 36, 4096: 1 << 40}
	for _, blockSize := range []int{1024, 2048, 4096} {
		for _, size := range []int64{0, 96 << 10, 1 << 20, 8 << 20, 8<<20 + 4096, 100 << 20, 128<<20 + 64<<10, 5 << 30, 1 << 36, 1 << 39, 1 << 40} {
			if size >= 1<<36 && size != largest[blockSize] {
				continue // one size of many groups
			}
			t.Run(fmt.Sprintf("%d/%d", blockSize, size), func(t *testing.T) {
				fsck(t, write(t, &ext4.FileSystem{BlockSize: blockSize}, size))
			})
		}
	}
}

// An empty file system is as sparse as it can be: what is written grows with the
// descriptors, not with the size.
func TestEmptyIsSparse(t *testing.T) {
	for size, most := range map[int64]int64{1 << 30: 1 << 20, 1 << 40: 16 << 20} {
		p, err := (&ext4.FileSystem{}).Plan(t.Context(), geometry(size))
		require.NoError(t, err)
		w := volume.NewWriter(discard{}, size)
		defer w.Close()
		require.NoError(t, p.Write(t.Context(), w))
		require.NoError(t, w.Flush())
		require.Less(t, w.Written(), most)
	}
}
