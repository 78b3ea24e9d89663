package ext4_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// A file system for an image file of its own. As a partition's content, package
// image does all but the first two steps.
func Example() {
	tree := filetree.New()
	for path, e := range map[string]filetree.Entry{
		"etc/hostname": filetree.File([]byte("drivebay\n"), 0o644),
		"bin":          filetree.Symlink("usr/bin"),
		"root":         filetree.Dir(0o700),
	} {
		if _, err := tree.Add(path, e); err != nil {
			log.Fatal(err)
		}
	}
	root := &ext4.FileSystem{Tree: tree, Label: "root"}

	plan, err := root.Plan(context.Background(), volume.Geometry{
		SectorSize: 512,
		Size:       64 << 20,
		Seed:       uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001"),
		Time:       time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	})

	if err != nil {
		log.Fatal(err)
	}
	info := plan.Info()
	fmt.Println(info.Format, info.Label, info.UUID)
	fmt.Printf("%d MiB, %d KiB used, %d files\n", info.Size>>20, info.Used>>10, info.Files)

	f, err := os.Create(filepath.Join(os.TempDir(), "example.ext4"))
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	w := volume.NewWriter(f, info.Size)
	defer w.Close()
	if err := plan.Write(context.Background(), w); err != nil {
		log.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// ext4 root 83ec8e6c-9d28-81f3-82a8-4b6c6e77a18f
	// 64 MiB, 5200 KiB used, 5 files
}

// Without a size, a plan tells the smallest one that will do.
func ExampleFileSystem_Plan() {
	tree := filetree.New()
	if _, err := tree.Add("data", filetree.File(make([]byte, 10<<20), 0o644)); err != nil {
		log.Fatal(err)
	}
	fs := &ext4.FileSystem{Tree: tree, JournalSize: ext4.None}
	smallest, err := fs.Plan(context.Background(), volume.Geometry{SectorSize: 512})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(smallest.Info().Size>>10, "KiB")

	_, err = fs.Plan(context.Background(), volume.Geometry{SectorSize: 512, Size: 8 << 20})
	fmt.Println(err)
	// Output:
	// 10448 KiB
	// ext4: content needs 10698752 bytes, volume has 8388608: 2310144 too few
}
