package ext4_test

import (
	"fmt"
	"testing"

	"github.com/drivebay/drivebay/image/ext4"
)

func TestEmptyIsCleanAtEverySize(t *testing.T) {
	for _, blockSize := range []int{1024, 2048, 4096} {
		for _, size := range []int64{0, 96 << 10, 1 << 20, 8 << 20, 8<<20 + 4096, 100 << 20, 128<<20 + 64<<10, 1 << 30, 5 << 30, 1 << 36} {
			t.Run(fmt.Sprintf("%d/%d", blockSize, size), func(t *testing.T) {
				fsck(t, write(t, &ext4.FileSystem{BlockSize: blockSize}, size))
			})
		}
	}
}
