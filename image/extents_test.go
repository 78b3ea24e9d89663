package image_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/swap"
	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

func TestExtents(t *testing.T) {
	raw := image.RawBytes([]byte("data"))
	for _, tc := range []struct {
		name   string
		layout image.Layout
		want   []volume.Extent
	}{
		{
			"free, empty and in use", image.Layout{Partitions: []image.Partition{
				{Content: &swap.Space{}, Size: image.MiB}, {Size: image.MiB}, {Content: raw, Size: image.MiB},
			}},
			[]volume.Extent{{Offset: 440, Length: 16968}, {Offset: image.MiB, Length: 4096}, {Offset: 3 * image.MiB, Length: 4}, {Offset: 5*image.MiB - 16896, Length: 16896}},
		},
		{
			"without a table", image.Layout{Table: image.NoTable, Size: image.MiB, Partitions: []image.Partition{{Content: &swap.Space{}}}},
			[]volume.Extent{{Offset: 0, Length: 4096}},
		},
		{
			"hashed", image.Layout{Table: image.MBR, Partitions: []image.Partition{
				{Name: "data", Content: &swap.Space{}, Size: image.MiB}, {Content: &verity.HashTree{Number: 1}},
			}},
			[]volume.Extent{{Offset: 440, Length: 72}, {Offset: image.MiB, Length: image.MiB + 3*4096 + 4096}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := tc.layout.Plan(t.Context())
			require.NoError(t, err)
			require.Equal(t, tc.want, p.Extents())
		})
	}
}
