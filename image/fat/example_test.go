package fat_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// An EFI system partition of 64 MiB, from a file that is nowhere on disk.
func Example() {
	tree := filetree.New()
	if _, err := tree.Add("EFI/BOOT/BOOTX64.EFI", filetree.File([]byte("not quite a boot loader"), 0o644)); err != nil {
		log.Fatal(err)
	}
	esp := &fat.FileSystem{Tree: tree, Label: "ESP", ID: 0x2024_0229, Type: fat.FAT32}
	plan, err := esp.Plan(context.Background(), volume.Geometry{
		SectorSize: 512,
		Offset:     1 << 20,
		Size:       64 << 20,
		Time:       time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC),
	})

	if err != nil {
		log.Fatal(err)
	}
	info := plan.Info()
	fmt.Println(info.Format, info.Label, info.UUID, info.Size, "bytes")

	img, err := os.CreateTemp("", "esp")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(img.Name())
	defer img.Close()
	if err := write(img, plan); err != nil {
		log.Fatal(err)
	}

	files, err := fat.Open(img, info.Size)
	if err != nil {
		log.Fatal(err)
	}
	b, err := files.ReadFile("EFI/BOOT/BOOTX64.EFI")
	fmt.Printf("%s %v\n", b, err)
	// Output:
	// vfat ESP 2024-0229 67108864 bytes
	// not quite a boot loader <nil>
}

func write(img *os.File, plan volume.Plan) error {
	if err := img.Truncate(plan.Info().Size); err != nil {
		return err
	}
	w := volume.NewWriter(img, plan.Info().Size)
	defer w.Close()
	if err := plan.Write(context.Background(), w); err != nil {
		return err
	}
	return w.Flush()
}
