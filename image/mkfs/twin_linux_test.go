package mkfs_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/mkfs"
)

// TestBtrfsBesideItsTwin builds an image whose twin is attached, which mkfs.btrfs
// refuses to whoever lets it look: their UUIDs are the same.
func TestBtrfsBesideItsTwin(t *testing.T) {
	fixture.RequireTool(t, "mkfs.btrfs")
	layout := image.Layout{
		Seed:       uuid.MustParse("8f1c2c3e-0000-4000-8000-00000000b7f5"),
		Partitions: []image.Partition{{Size: 256 * image.MiB, Content: &mkfs.FileSystem{Type: mkfs.Btrfs}}},
	}
	fixture.Disk(t, layout)
	fixture.Disk(t, layout)
}
