// Command nvme-health prints how an NVMe drive is: who it is, its health, its
// firmware slots, its namespaces and its last self-tests. It changes nothing.
//
//	go run ./examples/nvme-health [-device /dev/nvme0]
//
// Without -device it looks at an emulated drive.
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
	flags := flag.NewFlagSet("nvme-health", flag.ContinueOnError)
	device := flags.String("device", "", "node of a drive, such as /dev/nvme0; none is an emulated drive")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *device != "" {
		c, err := nvme.Open(ctx, *device)
		if err != nil {
			return err
		}
		defer c.Close()
		return report(ctx, c, stdout)
	}
	drive, err := nvmetest.New(nvmetest.Enterprise())
	if err != nil {
		return err
	}
	drive.SetSpare(8, 97) // one that has seen better days
	drive.SetTemperature(273 + 71)
	return report(ctx, nvme.NewController(drive), stdout)
}

// report prints what identify and the logs say.
func report(ctx context.Context, c *nvme.Controller, w io.Writer) error {
	id, err := c.Identify(ctx)
	if err != nil {
		return err
	}
	smart, err := c.SMARTLog(ctx)
	if err != nil {
		return err
	}
	slots, err := c.FirmwareSlotLog(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s, serial %s, NVMe %v\n", id.ModelNumber, id.SerialNumber, id.Version)
	fmt.Fprintf(w, "  warnings     %v\n", smart.CriticalWarning)
	fmt.Fprintf(w, "  temperature  %v, warns at %v\n", smart.Temperature, id.WarningTemperature)
	fmt.Fprintf(w, "  endurance    %d%% used, %d%% spare left of at least %d%%\n",
		smart.PercentageUsed, smart.AvailableSpare, smart.SpareThreshold)
	fmt.Fprintf(w, "  written      %.1f GB\n", smart.DataUnitsWritten.Float64()*nvme.DataUnit/1e9)
	fmt.Fprintf(w, "  powered on   %v hours, %v times, %v times lost in surprise\n",
		smart.PowerOnHours, smart.PowerCycles, smart.UnsafeShutdowns)
	fmt.Fprintf(w, "  errors       %v of media, %v in the log\n", smart.MediaErrors, smart.ErrorLogEntries)
	for slot := 1; slot <= id.FirmwareUpdates.Slots(); slot++ {
		note := map[int]string{slots.Active(): ", runs", slots.Next(): ", runs after the next reset"}[slot]
		if revision := slots.Revision(slot); revision != "" {
			fmt.Fprintf(w, "  firmware     slot %d: %s%s\n", slot, revision, note)
		}
	}
	nsids, err := c.ActiveNamespaces(ctx)
	if err != nil {
		return err
	}
	for _, nsid := range nsids {
		ns, err := c.Namespace(ctx, nsid)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  namespace %d  %d blocks of %v bytes\n", nsid, ns.Blocks(), ns.Format())
	}
	return nil
}
