package nvmetest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// A drive is a transport of package nvme.
func Example() {
	ctx := context.Background()
	drive, err := nvmetest.New(nvmetest.Consumer())
	if err != nil {
		fmt.Println(err)
		return
	}
	c := nvme.NewController(drive)
	id, err := c.Identify(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(id.ModelNumber, id.FirmwareRevision)
	err = c.Format(ctx, nvme.FormatOptions{NSID: 1, Format: 1})
	fmt.Println("format:", err, "after", drive.Now())
	// Output:
	// Drivebay Consumer 1.0.0
	// format: <nil> after 20s
}

// A profile can be changed before the drive is made.
func ExampleNew() {
	drive, err := nvmetest.New(nvmetest.Enterprise(), func(p *nvmetest.Profile) {
		p.Controller.ModelNumber = "Mine"
		p.Namespaces = []nvmetest.NamespaceConfig{{Blocks: 2048, Format: 5}}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(drive.Namespace(1).Size(), "bytes")
	// Output: 8388608 bytes
}

// The second read fails, as the medium does, and the third one meets a drive
// that has gone.
func ExampleDrive_Inject() {
	ctx := context.Background()
	drive, err := nvmetest.New(nvmetest.Consumer())
	if err != nil {
		fmt.Println(err)
		return
	}
	drive.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, After: 1, Count: 1, Status: nvme.StatusUnrecoveredRead})
	drive.Inject(nvmetest.Fault{Queue: nvme.IOQueue, Opcode: nvme.IORead, After: 1, VanishFirst: true})
	read := nvme.Command{Queue: nvme.IOQueue, Opcode: nvme.IORead, NSID: 1, Data: make([]byte, 512)}
	for range 3 {
		done, err := drive.Submit(ctx, read)
		fmt.Println(done.Status.Code(), err)
	}
	// Output:
	// successful completion (SCT 0h, SC 00h) <nil>
	// unrecovered read error (SCT 2h, SC 81h) <nil>
	// successful completion (SCT 0h, SC 00h) nvmetest: read: no such device
}

// A sanitize of ten minutes is over at once, and forbids what it has to
// meanwhile.
func ExampleDrive_Advance() {
	ctx := context.Background()
	drive, err := nvmetest.New(nvmetest.Enterprise())
	if err != nil {
		fmt.Println(err)
		return
	}
	c := nvme.NewController(drive)
	if err := c.Sanitize(ctx, nvme.SanitizeOptions{Action: nvme.BlockErase}); err != nil {
		fmt.Println(err)
		return
	}
	_, err = c.FirmwareSlotLog(ctx)
	fmt.Println("in progress:", errors.Is(err, nvme.StatusSanitizeInProgress))
	drive.Advance(10 * time.Minute)
	log, err := c.SanitizeLog(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(log.State())
	// Output:
	// in progress: true
	// sanitized
}
