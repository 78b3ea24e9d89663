// Command nvme-format gives a namespace of an NVMe drive another block size, which
// destroys its data: it prints what it would do, and does it if it is told to
// with -yes.
//
//	go run ./examples/nvme-format [-device /dev/nvme0 -serial SERIAL -nsid N -block BYTES [-yes]]
//
// Without -device it formats a namespace of an emulated drive.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

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
	flags := flag.NewFlagSet("nvme-format", flag.ContinueOnError)
	device := flags.String("device", "", "node of a drive, such as /dev/nvme0; none is an emulated drive")
	nsid := flags.Uint("nsid", 1, "namespace")
	yes := flags.Bool("yes", false, "do it")
	var o nvme.NamespaceFormat
	flags.StringVar(&o.Serial, "serial", "", "serial number of the drive that is meant")
	flags.IntVar(&o.BlockSize, "block", 4096, "bytes of data in a block")
	flags.IntVar(&o.MetadataSize, "metadata", 0, "bytes of metadata in a block")
	flags.BoolVar(&o.Force, "force", false, "also if the namespace is in use")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.NSID = uint32(*nsid)
	o.Progress = func(p nvme.Progress) { fmt.Fprintln(stdout, p) }
	if *device == "" {
		drive, err := nvmetest.New(nvmetest.Consumer(), func(p *nvmetest.Profile) { p.Stepped = true })
		if err != nil {
			return err
		}
		o.Serial, o.Wait, o.Interval = nvmetest.SerialNumber, drive.Wait, 5*time.Second
		return format(ctx, nvme.NewController(drive), o, true, stdout)
	}
	c, err := nvme.Open(ctx, *device)
	if err != nil {
		return err
	}
	defer c.Close()
	return format(ctx, c, o, *yes, stdout)
}

// format prints the plan, and carries it out.
func format(ctx context.Context, c *nvme.Controller, o nvme.NamespaceFormat, yes bool, w io.Writer) error {
	plan, err := nvme.PlanFormat(ctx, c, o)
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
