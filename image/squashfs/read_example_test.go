package squashfs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/volume"
)

// The files of a volume are an fs.FS, and a tree with all that is known of them.
func ExampleOpen() {
	image, size, err := exampleImage()
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(image.Name())
	defer image.Close()
	files, err := squashfs.Open(image, size)
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

// exampleImage returns a volume with a file of two names, and its size.
func exampleImage() (image *os.File, size int64, err error) {
	tree := filetree.New()
	e := filetree.File([]byte("drivebay\n"), 0o640)
	e.UID, e.Xattrs = 1000, []filetree.Xattr{{Name: "user.note", Value: []byte("an example")}}
	if _, err := tree.Add("etc/hostname", e); err != nil {
		return nil, 0, err
	}
	if _, err := tree.Link("etc/mailname", "etc/hostname"); err != nil {
		return nil, 0, err
	}
	made := &squashfs.FileSystem{Tree: tree}
	defer made.Close()
	plan, err := made.Plan(context.Background(), volume.Geometry{SectorSize: 512})
	if err != nil {
		return nil, 0, err
	}
	size = plan.Info().Size
	if image, err = os.CreateTemp("", "example"); err != nil {
		return nil, 0, err
	}
	w := volume.NewWriter(image, size)
	defer w.Close()
	if err := plan.Write(context.Background(), w); err != nil {
		return nil, 0, err
	}
	return image, size, errors.Join(w.Flush(), image.Truncate(size))
}
