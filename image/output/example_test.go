package output_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/output"
)

// A disk becomes a qcow2 while it is made.
func Example() {
	layout := image.Layout{Size: 64 * image.MiB, Partitions: []image.Partition{
		{Name: "data", Content: image.RawBytes([]byte("something"))},
	}}
	plan, err := layout.Plan(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "disk.qcow2"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	w, err := output.NewQCOW2(f, plan.Size, output.QCOW2Options{Compression: output.CompressZstd})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	if err := plan.WriteAt(context.Background(), w, image.Options{}); err != nil {
		fmt.Println(err)
		return
	}
	if err := w.Finish(); err != nil {
		fmt.Println(err)
		return
	}
	info, err := f.Stat()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d KiB for a disk of %d MiB\n", info.Size()>>10, plan.Size/image.MiB)
	// Output: 384 KiB for a disk of 64 MiB
}
