package loop_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"

	"github.com/drivebay/drivebay/loop"
)

// Attach an image and read the first block of every partition. The device is
// gone at the end, also if the program is killed before.
func Example() {
	ctx := context.Background()
	image, err := os.OpenFile("disk.img", os.O_RDWR, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer image.Close()
	disk, err := loop.Attach(ctx, image, loop.Options{Tag: "example"})
	if err != nil {
		log.Fatal(err)
	}
	defer disk.Close()
	partitions, err := disk.Partitions(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range partitions {
		f, err := p.Open(os.O_RDONLY)
		if err != nil {
			log.Fatal(err)
		}
		block := make([]byte, disk.BlockSize())
		_, err = f.ReadAt(block, 0)
		fmt.Printf("%v begins with % x (%v)\n", p, block[:8], err)
		f.Close()
	}
}

// A device that outlives the program, and the program that ends it.
func ExampleOpen() {
	image, err := os.OpenFile("disk.img", os.O_RDWR, 0)
	if err != nil {
		log.Fatal(err)
	}
	disk, err := loop.Attach(context.Background(), image, loop.Options{Persist: true})
	if err != nil {
		log.Fatal(err)
	}
	name := disk.Name()
	disk.Close()

	again, err := loop.Open(name)
	switch {
	case errors.Is(err, loop.ErrNotBound):
		fmt.Println(name, "was detached in between")
	case err != nil:
		log.Fatal(err)
	default:
		err = again.Detach() // ErrBusy: something on it is still mounted
		fmt.Println(name, "is detached:", err == nil)
	}
}

// Find tells where a file is attached.
func ExampleFind() {
	image, err := os.Open("disk.img")
	if err != nil {
		log.Fatal(err)
	}
	defer image.Close()
	devices, err := loop.Find(image)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range devices {
		fmt.Printf("%s shows %d bytes from %d, read-only: %t\n", d.Name, d.Size, d.Offset, d.ReadOnly)
	}
}

// Input that cannot be right is refused with the field, the value and what
// would be right. This needs no privileges.
func ExampleOptionError() {
	image, err := os.CreateTemp("", "disk")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(image.Name())
	defer image.Close()
	if err := image.Truncate(1 << 20); err != nil {
		log.Fatal(err)
	}
	_, err = loop.Attach(context.Background(), image, loop.Options{Offset: 4096, Size: 1000})
	var option *loop.OptionError
	switch {
	case errors.As(err, &option):
		fmt.Println(option)
		fmt.Println(errors.Is(err, fs.ErrInvalid))
	case errors.Is(err, errors.ErrUnsupported):
		// Another system than Linux has no loop devices.
		fmt.Println("Size is 1000: want a multiple of the block size 512, such as 512\ntrue")
	}
	// Output:
	// Size is 1000: want a multiple of the block size 512, such as 512
	// true
}

func ExampleDeviceNumber() {
	fmt.Println(loop.DeviceNumber{Major: 7, Minor: 3})
	// Output: 7:3
}
