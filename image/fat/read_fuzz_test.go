package fat_test

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/internal/imagetest"
)

// FuzzReader changes bytes of good volumes of each type.
func FuzzReader(f *testing.F) {
	var images [][]byte
	for _, tc := range geometries {
		image, _ := build(f, &fat.FileSystem{Tree: tree(f, sample), Label: "FUZZ", Type: tc.typ}, geometry(tc.size))
		b, err := os.ReadFile(image)
		require.NoError(f, err)
		images = append(images, b)
	}
	for which := range images {
		f.Add(uint8(which), []byte{})
		for at := range 64 { // the boot sector's fields
			f.Add(uint8(which), []byte{0, 0, byte(at), 0xff, 0, 2, byte(4 * at), 3})
		}
	}
	imagetest.FuzzReader(f, images, 64<<20, func(r io.ReaderAt, size int64) (imagetest.Reader, error) {
		return fat.Open(r, size)
	})
}
