package mkfs_test

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/mkfs"
)

// What mkfs.xfs cannot make is refused before anything is run; with Drop set, it
// is left out and listed.
func Example() {
	tree := filetree.New()
	if _, err := tree.Add("tmp", filetree.Dir(fs.ModeSticky|0o777)); err != nil {
		fmt.Println(err)
		return
	}
	layout := image.Layout{Partitions: []image.Partition{
		{Name: "data", Size: 300 * image.MiB, Content: &mkfs.FileSystem{Type: mkfs.XFS, Tree: tree}},
	}}
	_, err := layout.Plan(context.Background())
	fmt.Println(err)
	// Output: partition 1 (data): size 314572800: xfs tmp: sticky bit: mkfs cannot make such files
}
