package nvme_test

import (
	"context"
	"fmt"
	"log"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

// A firmware update is a plan first. The drive here is emulated; a real one comes
// from nvme.Open, and needs no Wait.
func ExamplePlanUpdate() {
	ctx := context.Background()
	drive, err := nvmetest.New(nvmetest.Enterprise())
	if err != nil {
		log.Fatal(err)
	}
	plan, err := nvme.PlanUpdate(ctx, nvme.NewController(drive), nvmetest.Firmware{Revision: "3.0.0"}.Image(), nvme.UpdateOptions{
		Consent: nvme.Consent{Serial: nvmetest.SerialNumber},
		Follow:  nvme.Follow{Wait: drive.Wait},
		Reset:   nvme.AnyControllerReset,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(plan)
	result, err := plan.Run(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result)
	// Output:
	// update firmware
	//   drive      Drivebay Enterprise, serial DRIVEBAY0001, firmware 2.0.0
	//   image      65536 bytes in 16 parts of 4096
	//   slot       3, which is empty
	//   commit     replace, activate at reset
	//   reset      controller level reset
	// firmware 3.0.0 runs from slot 3, before it was 2.0.0
}

// Formatting wants the drive's serial number, so that a wrong path harms nobody.
func ExampleFormatNamespace() {
	ctx := context.Background()
	drive, err := nvmetest.New(nvmetest.Enterprise())
	if err != nil {
		log.Fatal(err)
	}
	o := nvme.NamespaceFormat{NSID: 1, BlockSize: 4096, Follow: nvme.Follow{Wait: drive.Wait}}
	o.Serial = "SOMEBODY ELSE'S"
	_, err = nvme.FormatNamespace(ctx, nvme.NewController(drive), o)
	fmt.Println(err)
	o.Serial = nvmetest.SerialNumber
	result, err := nvme.FormatNamespace(ctx, nvme.NewController(drive), o)
	fmt.Println(result, err)
	// Output:
	// nvme: format namespace: Serial is "SOMEBODY ELSE'S", want "DRIVEBAY0001", which is this drive's, if it is the one that is meant
	// formatted from 512 to 4096, 131072 blocks <nil>
}

// What is in progress can be followed by a program that has not started it.
func ExampleFollowSanitize() {
	ctx := context.Background()
	drive, err := nvmetest.New(nvmetest.Consumer())
	if err != nil {
		log.Fatal(err)
	}
	c := nvme.NewController(drive)
	if err := c.Sanitize(ctx, nvme.SanitizeOptions{Action: nvme.CryptoEraseMedia}); err != nil {
		log.Fatal(err)
	}
	result, err := nvme.FollowSanitize(ctx, c, nvme.Follow{Wait: drive.Wait})
	fmt.Println(result, err)
	// Output: sanitized, nothing written since <nil>
}
