package verity_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/verity"
)

// A disk with a partition, its hash tree, and the IDs by which systemd finds them.
func Example() {
	dir, err := os.MkdirTemp("", "verity-*")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	layout := image.Layout{Partitions: []image.Partition{
		{Name: "root", Type: image.RootX86_64, Size: 4 * image.MiB, Content: image.RawBytes([]byte("a file system"))},
		{Name: "root-verity", Type: "root-x86-64-verity", Content: &verity.HashTree{Of: "root"}},
	}}
	name := filepath.Join(dir, "disk.img")
	_, err = image.Build(context.Background(), name, layout, image.Options{
		RootHash: func(h image.RootHash) { fmt.Printf("roothash=%s\n", h.Hash) },
	})
	if err != nil {
		panic(err)
	}
	disk, err := image.Open(name)
	if err != nil {
		panic(err)
	}
	defer disk.Close()
	for _, p := range disk.Partitions {
		fmt.Println(p.ID)
	}
	// Output:
	// roothash=d58b53ac460568cece8c600d495dbb189b8f6b10bbf6b07d33d11d53d1755127
	// d58b53ac-4605-68ce-ce8c-600d495dbb18
	// 9b8f6b10-bbf6-b07d-33d1-1d53d1755127
}

// The hash tree of any data that comes in order.
func ExampleHasher() {
	h, err := verity.NewHasher(verity.Params{Salt: []byte("salt")}, 1<<40, "")
	if err != nil {
		panic(err)
	}
	defer h.Close()
	if _, err := h.WriteAt([]byte("the rest of a tebibyte is zeros"), 0); err != nil {
		panic(err)
	}
	tree, err := h.Tree()
	if err != nil {
		panic(err)
	}
	fmt.Println(tree.RootHash())
	// Output: 66214cb01787d2a3cee466ff039e4a501ad269eed9feea9c71b55a4ea3de6b62
}
