package swap_test

import (
	"context"
	"fmt"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/swap"
)

func Example() {
	layout := image.Layout{
		Size: 64 * image.MiB,
		Partitions: []image.Partition{
			{Name: "root", Size: 16 * image.MiB},
			{Name: "swap", Type: image.Swap, Weight: 1, Content: &swap.Space{Label: "swap"}}, // the rest
		},
	}
	plan, err := layout.Plan(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	part := plan.Partitions[1]
	fmt.Println(part.Volume.Format, part.Volume.Label, part.Size/image.MiB, "MiB")
	// Output: swap swap 46 MiB
}
