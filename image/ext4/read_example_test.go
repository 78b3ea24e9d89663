package ext4_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/internal/sample"
)

// The files of a volume are an fs.FS, and a tree with all that is known of them.
func ExampleOpen() {
	image, err := exampleImage()
	if err != nil {
		log.Fatal(err)
	}
	files, err := ext4.Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		log.Fatal(err)
	}
	b, err := fs.ReadFile(files, "etc/hostname")
	fmt.Printf("%q %v\n", b, err)

	tree, err := files.Tree()
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	node, _ := tree.Lookup("etc/hostname")
	fmt.Println(node.Mode(), node.UID(), node.Links(), node.Xattrs()[0].Name)
	// Output:
	// "drivebay\n" <nil>
	// -rw-r----- 1000 2 user.note
}

// exampleImage returns a volume with a file of two names.
func exampleImage() ([]byte, error) {
	tree, err := sample.Hostname()
	if err != nil {
		return nil, err
	}
	return sample.Image(context.Background(), &ext4.FileSystem{Tree: tree, JournalSize: ext4.None})
}
