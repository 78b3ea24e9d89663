package uki_test

import (
	"debug/pe"
	"fmt"
	"log"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/uki"
)

func ExampleImage_Entry() {
	// A stub and a kernel that do nothing: otherwise they come from uki.File.
	stub := uki.Bytes("linuxx64.efi.stub", stubFor(pe.IMAGE_FILE_MACHINE_AMD64))
	kernel := uki.Bytes("vmlinuz", kernelFor(pe.IMAGE_FILE_MACHINE_AMD64, "6.12.0-amd64 (somebody@example.org) #1 SMP"))
	image := uki.Image{
		Stub: stub, Kernel: kernel,
		Initrds:   []uki.Source{uki.Bytes("initrd.img", []byte("an archive"))},
		CmdLine:   "root=LABEL=root ro quiet",
		OSRelease: uki.Bytes("os-release", []byte("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux\"\n")),
	}
	entry, err := image.Entry()
	if err != nil {
		log.Fatal(err)
	}
	tree := filetree.New()
	node, err := tree.Add("EFI/Linux/debian.efi", entry)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(node.Mode(), node.Path(), node.Size(), "bytes")
	// Output: -rw-r--r-- EFI/Linux/debian.efi 5120 bytes
}
