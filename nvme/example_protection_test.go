package nvme_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// Blocks that are protected from the host to the media: the host makes the guard and
// the tags, and the drive checks them.
func ExampleNamespace_Protect() {
	ctx := context.Background()
	drive, err := nvmetest.New(nvmetest.Enterprise())
	if err != nil {
		log.Fatal(err)
	}
	c := nvme.NewController(drive)
	if err := c.Format(ctx, nvme.FormatOptions{NSID: 1, Format: 1, Protection: 1}); err != nil {
		log.Fatal(err)
	}
	ns, err := c.Namespace(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}

	const lba = 5 // which the reference tag of type 1 is
	data := bytes.Repeat([]byte("drivebay"), 64)
	metadata := make([]byte, ns.Format().MetadataSize)
	if err := ns.Protect(data, metadata, nvme.Protection{ApplicationTag: 0x1122, ReferenceTag: lba}); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%x\n", metadata)
	o := nvme.IOOptions{Metadata: metadata, Protect: nvme.CheckGuard | nvme.CheckReferenceTag, ReferenceTag: lba}
	fmt.Println(ns.Write(ctx, lba, data, o))
	data[0] ^= 1
	fmt.Println(ns.Write(ctx, lba, data, o))
	// Output:
	// 2632112200000005
	// <nil>
	// nvme: write on nsid 1: end-to-end guard check error (SCT 2h, SC 82h, more in the error log)
}
