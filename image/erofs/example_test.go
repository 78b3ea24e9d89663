package erofs_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// A file system for an image file of its own. As a partition's content, package
// image does all but making it.
func Example() {
	tree := filetree.New()
	for path, e := range map[string]filetree.Entry{
		"etc/hostname": filetree.File([]byte("drivebay\n"), 0o644),
		"disk.img":     {Mode: 0o600, Size: 100 << 30}, // a hole
		"bin":          filetree.Symlink("usr/bin"),
	} {
		if _, err := tree.Add(path, e); err != nil {
			log.Fatal(err)
		}
	}
	root := &erofs.FileSystem{Tree: tree, Label: "root"}

	plan, err := root.Plan(context.Background(), volume.Geometry{SectorSize: 512, Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		log.Fatal(err)
	}
	info := plan.Info()
	fmt.Println(info.Format, info.Label, info.Size>>10, "KiB,", info.Files, "files")

	f, err := os.CreateTemp("", "example-*.erofs")
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
	// erofs root 4 KiB, 5 files
}
