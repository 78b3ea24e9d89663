package authenticode_test

import (
	"fmt"
	"log"

	"github.com/drivebay/drivebay/image/filetree"
)

func ExampleSigner_Entry() {
	// A key that is made for this: otherwise it comes from authenticode.Load, and
	// the program from a file.
	list, err := keys()
	if err != nil {
		log.Fatal(err)
	}
	signer, program := list[0], filetree.File(programFor(""), 0o644)
	signed, err := signer.Entry(program)
	if err != nil {
		log.Fatal(err)
	}
	tree := filetree.New()
	node, err := tree.Add("EFI/BOOT/BOOTX64.EFI", signed)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(node.Path(), "is signed:", node.Size() > program.Size)
	// Output: EFI/BOOT/BOOTX64.EFI is signed: true
}
