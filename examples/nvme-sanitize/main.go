// Command nvme-sanitize destroys all data of an NVMe drive for good, and shows how
// far it is: it prints what it would do, and does it if it is told to with -yes.
// With -follow it takes up a sanitize that is in progress already.
//
//	go run ./examples/nvme-sanitize [-device /dev/nvme0 -serial SERIAL [-yes]]
//
// Without -device it sanitizes an emulated drive, whose clock runs faster.
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
	flags := flag.NewFlagSet("nvme-sanitize", flag.ContinueOnError)
	device := flags.String("device", "", "node of a drive, such as /dev/nvme0; none is an emulated drive")
	follow := flags.Bool("follow", false, "follow a sanitize in progress, and start none")
	yes := flags.Bool("yes", false, "do it")
	var consent nvme.Consent
	flags.StringVar(&consent.Serial, "serial", "", "serial number of the drive that is meant")
	flags.BoolVar(&consent.Force, "force", false, "also if namespaces are in use")
	if err := flags.Parse(args); err != nil {
		return err
	}
	f := nvme.Follow{Progress: func(p nvme.Progress) { fmt.Fprintln(stdout, p) }, Interval: 10 * time.Second}
	if *device == "" {
		drive, err := nvmetest.New(nvmetest.Consumer())
		if err != nil {
			return err
		}
		consent.Serial, f.Wait, f.Interval = nvmetest.SerialNumber, drive.Wait, 45*time.Second
		return sanitize(ctx, nvme.NewController(drive), consent, f, true, stdout)
	}
	c, err := nvme.Open(ctx, *device)
	if err != nil {
		return err
	}
	defer c.Close()
	if *follow {
		result, err := nvme.FollowSanitize(ctx, c, f)
		fmt.Fprintln(stdout, result)
		return err
	}
	return sanitize(ctx, c, consent, f, *yes, stdout)
}

// sanitize prints the plan, and carries it out.
func sanitize(ctx context.Context, c *nvme.Controller, consent nvme.Consent, f nvme.Follow, yes bool, w io.Writer) error {
	plan, err := nvme.PlanSanitize(ctx, c, nvme.SanitizeOptions{Action: nvme.BlockErase}, consent, f)
	if err != nil {
		return err
	}
	fmt.Fprint(w, plan)
	if !yes {
		fmt.Fprintln(w, "nothing was done: say -yes")
		return nil
	}
	result, err := plan.Run(ctx)
	fmt.Fprintln(w, result)
	return err
}
