// Command nvme-firmware updates the firmware of an NVMe drive: it prints what it
// would do, and does it if it is told to with -yes.
//
//	go run ./examples/nvme-firmware [-device /dev/nvme0 -serial SERIAL -image FILE [-yes]]
//
// Without -device it updates an emulated drive, with an image made for it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/drivebay/drivebay/nvme"
	"github.com/drivebay/drivebay/nvme/nvmetest"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("nvme-firmware", flag.ContinueOnError)
	device := flags.String("device", "", "node of a drive, such as /dev/nvme0; none is an emulated drive")
	image := flags.String("image", "", "firmware image")
	yes := flags.Bool("yes", false, "do it")
	o := nvme.UpdateOptions{Reset: nvme.AnyControllerReset}
	flags.StringVar(&o.Serial, "serial", "", "serial number of the drive that is meant")
	flags.IntVar(&o.Slot, "slot", 0, "firmware slot; 0 is the best")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *device == "" {
		drive, err := nvmetest.New(nvmetest.Consumer())
		if err != nil {
			return err
		}
		o.Serial, o.Wait = nvmetest.SerialNumber, drive.Wait
		firmware := nvmetest.Firmware{Revision: "1.1.0", Size: 512 << 10}
		return update(ctx, nvme.NewController(drive), firmware.Image(), o, true, stdout)
	}
	data, err := os.ReadFile(*image)
	if err != nil {
		return err
	}
	c, err := nvme.Open(ctx, *device)
	if err != nil {
		return err
	}
	defer c.Close()
	return update(ctx, c, data, o, *yes, stdout)
}

// update prints the plan, and carries it out.
func update(ctx context.Context, c *nvme.Controller, image []byte, o nvme.UpdateOptions, yes bool, w io.Writer) error {
	last := ""
	o.Progress = func(p nvme.Progress) {
		if p.Percent()%25 == 0 && p.String() != last {
			last = p.String()
			fmt.Fprintln(w, last)
		}
	}
	plan, err := nvme.PlanUpdate(ctx, c, image, o)
	if err != nil {
		return err
	}
	fmt.Fprint(w, plan)
	if !yes {
		fmt.Fprintln(w, "nothing was done: say -yes")
		return nil
	}
	result, err := plan.Run(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, result)
	return nil
}
