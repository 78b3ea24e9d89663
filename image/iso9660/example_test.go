package iso9660_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/iso9660"
)

// A disc that boots by UEFI, and as a disk, too.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	files, loader := filetree.New(), filetree.New()
	if _, err := files.Add("docs/Read me first.txt", filetree.File([]byte("Hello.\n"), 0o644)); err != nil {
		log.Fatal(err)
	}
	if _, err := loader.Add("EFI/BOOT/BOOTX64.EFI", filetree.File([]byte("MZ..."), 0o644)); err != nil {
		log.Fatal(err)
	}
	volume := &iso9660.FileSystem{
		Tree: files, VolumeID: "INSTALL", Joliet: true,
		Boot:   []iso9660.BootEntry{{Platform: iso9660.UEFI, Image: &fat.FileSystem{Tree: loader}}},
		Hybrid: &iso9660.Hybrid{},
	}
	name := filepath.Join(dir, "install.iso")
	if _, err := image.Build(context.Background(), name, image.Layout{
		Table: image.NoTable, Align: 2048, Partitions: []image.Partition{{Content: volume}},
	}, image.Options{}); err != nil {
		log.Fatal(err)
	}

	d, err := image.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	for _, p := range d.Partitions {
		fmt.Println(d.Table, p.Name, p.Type, p.Format)
	}
	// Output: gpt EFI boot image esp vfat
}

// What a level cannot hold is refused by name.
func ExampleFileSystem_names() {
	tree := filetree.New()
	if _, err := tree.Add("user-data.yaml", filetree.File(nil, 0o644)); err != nil {
		log.Fatal(err)
	}
	seed := &iso9660.FileSystem{Tree: tree, VolumeID: "CIDATA", NoRockRidge: true}
	_, err := (&image.Layout{Table: image.NoTable, Partitions: []image.Partition{{Content: seed}}}).Plan(context.Background())
	fmt.Println(err)

	seed.MapNames = true
	plan, err := (&image.Layout{Table: image.NoTable, Partitions: []image.Partition{{Content: seed}}}).Plan(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.Partitions[0].Volume.Dropped)
	// Output:
	// partition 1: content: iso9660 user-data.yaml: name cannot be held by ISO 9660: in ISO 9660, "USER_DATA.YAML" would be the nearest free
	// [user-data.yaml: name in ISO 9660 is "USER_DATA.YAML"]
}
