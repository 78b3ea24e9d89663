package spec_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/spec"
)

const disk = `
seed: 8f1c2c3e-0000-4000-8000-000000000001
partitions:
  - name: esp
    type: esp
    size: 8MiB
    content: {format: vfat, label: ESP}
  - name: root
    type: root-x86-64
    free: 1MiB
    content:
      format: ext4
      label: root
      files:
        - {path: /etc/hostname, text: "drivebay\n"}
        - {path: /bin, symlink: usr/bin}
`

// From a description to a plan, and to an image.
func Example() {
	s, err := spec.Parse("disk.yaml", strings.NewReader(disk), ".")
	if err != nil {
		log.Fatal(err)
	}
	l, err := s.Layout(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	p, err := l.Plan(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, part := range p.Partitions {
		fmt.Printf("%d %s %s at %d\n", part.Number, part.Name, part.Volume.Format, part.Start)
	}

	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := p.Build(context.Background(), filepath.Join(dir, "disk.img"), image.Options{}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 esp vfat at 1048576
	// 2 root ext4 at 9437184
}

// What is wrong is told with its place, and all of it at once.
func ExampleParse() {
	_, err := spec.Parse("disk.yaml", strings.NewReader("sector_size: 512\npartitions:\n  - name: root\n    weight: heavy\n"), ".")
	fmt.Println(err)
	// Output:
	// disk.yaml:1:1: unknown key "sector_size": did you mean sector-size?
	// disk.yaml:4:13: partition "root": weight "heavy": want a whole number, not negative
}
