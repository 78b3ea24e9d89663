package image_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
)

// A disk with an EFI system partition and a root file system.
func ExampleBuild() {
	esp, root := filetree.New(), filetree.New()
	if _, err := esp.Add("EFI/BOOT/BOOTX64.EFI", filetree.File([]byte("MZ"), 0o644)); err != nil {
		log.Fatal(err)
	}
	if _, err := root.Add("etc/hostname", filetree.File([]byte("drivebay\n"), 0o644)); err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	plan, err := image.Build(context.Background(), filepath.Join(dir, "disk.img"), image.Layout{
		Seed: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001"),
		Partitions: []image.Partition{
			{Name: "esp", Type: image.ESP, Size: 64 * image.MiB, Content: &fat.FileSystem{Tree: esp, Label: "ESP"}},
			{Name: "root", Type: image.RootX86_64, Size: image.GiB, Content: &ext4.FileSystem{Tree: root, Label: "root"}},
		},
	}, image.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range plan.Partitions {
		fmt.Println(p.Number, p.Name, p.Start/image.MiB, p.Size/image.MiB, p.Volume.Format)
	}
	// Output:
	// 1 esp 1 64 vfat
	// 2 root 65 1024 ext4
}

// A layout that cannot be built is refused before anything is written.
func ExampleLayout_Plan_error() {
	layout := image.Layout{Partitions: []image.Partition{
		{Name: "one", Start: image.MiB, Size: 2 * image.MiB},
		{Name: "two", Start: 2 * image.MiB, Size: image.MiB},
	}}
	_, err := layout.Plan(context.Background())
	fmt.Println(err)
	// Output:
	// partition 2 (two): start 2097152: want at least 3145728, where partition 1 (one) ends that begins at 1048576
}
