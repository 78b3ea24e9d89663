package repart_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/spec/repart"
)

// The example of the manual: a home partition that takes what there is of the disk
// and, if there is enough, a swap partition that has a quarter of it.
func Example() {
	dir, err := os.MkdirTemp("", "repart.d")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{
		"60-home.conf": "[Partition]\nType=home\n",
		"70-swap.conf": "[Partition]\nType=swap\nFormat=swap\nSizeMinBytes=64M\nSizeMaxBytes=1G\nPriority=1\nWeight=333\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			fmt.Println(err)
			return
		}
	}
	definitions, err := repart.Load([]string{dir}, repart.Options{
		Seed: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001"),
		Size: 1 << 30,
	})
	if err != nil {
		fmt.Println(err) // all that is wrong, with file and line
		return
	}
	layout, err := definitions.Layout(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer layout.Close()
	plan, err := layout.Plan(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range plan.Partitions {
		fmt.Println(p.Name, p.Start, p.Size, p.ID)
	}
	// Output:
	// home 1048576 804704256 64ab3d5a-ea48-4836-978b-0637728902a0
	// swap 805752832 267968512 8f7b11ee-3771-4272-8d90-e1bf4e877fb8
}
