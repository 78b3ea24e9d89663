package nvme_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/drivebay/drivebay/nvme"
)

// replay opens a transcript of testdata in the place of a drive.
func replay(name string) nvme.Transport {
	f, err := os.Open("testdata/" + name)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	t, err := nvme.NewReplayer(f)
	if err != nil {
		log.Fatal(err)
	}
	return t
}

// A health report. On a machine with a drive, nvme.Open(ctx, "/dev/nvme0")
// takes the place of the transcript.
func Example() {
	ctx := context.Background()
	c := nvme.NewController(replay("health.jsonl"))

	id, err := c.Identify(ctx)
	if err != nil {
		log.Fatal(err)
	}
	health, err := c.SMARTLog(ctx)
	if err != nil {
		log.Fatal(err)
	}
	slots, err := c.FirmwareSlotLog(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, serial number %s, NVMe %v\n", id.ModelNumber, id.SerialNumber, id.Version)
	fmt.Printf("firmware %s in slot %d of %v\n", slots.Revision(slots.Active()), slots.Active(), id.FirmwareUpdates)
	fmt.Printf("warnings: %v; %v; %d%% used, %d%% spare\n",
		health.CriticalWarning, health.Temperature, health.PercentageUsed, health.AvailableSpare)
	fmt.Printf("written: %.1f TB in %v hours\n", health.DataUnitsWritten.Float64()*nvme.DataUnit/1e12, health.PowerOnHours)
	// Output:
	// Example Drive 960, serial number EX0001, NVMe 1.4
	// firmware 2.1.0 in slot 2 of 3 slots, slot 1 read-only, activation without reset
	// warnings: none; 38 °C; 3% used, 100% spare
	// written: 21.6 TB in 4711 hours
}

// A firmware image is downloaded in parts and committed. That a reset has to
// follow is a result, not an error.
func ExampleController_FirmwareCommit() {
	ctx := context.Background()
	c := nvme.NewController(replay("firmware.jsonl"))

	image := make([]byte, 8192)
	for offset := 0; offset < len(image); offset += 4096 {
		if err := c.FirmwareDownload(ctx, int64(offset), image[offset:offset+4096]); err != nil {
			log.Fatal(err)
		}
	}
	result, err := c.FirmwareCommit(ctx, nvme.FirmwareCommit{Action: nvme.ReplaceAndActivateAtReset, Slot: 2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("committed; needs a", result.Needs)

	_, err = c.FirmwareCommit(ctx, nvme.FirmwareCommit{Action: nvme.ReplaceFirmware, Slot: 1})
	fmt.Println(err)
	fmt.Println(errors.Is(err, nvme.StatusInvalidFirmwareSlot))
	// Output:
	// committed; needs a conventional reset
	// nvme: firmware commit: invalid firmware slot (SCT 1h, SC 06h, do not retry)
	// true
}

// A dry run makes all the checks, and says what would be sent.
func ExampleNewDryRun() {
	ctx := context.Background()
	c := nvme.NewController(nvme.NewDryRun(replay("format.jsonl")))

	err := c.Format(ctx, nvme.FormatOptions{NSID: 1, Format: 1, Erase: nvme.UserDataErase})
	fmt.Println(err)
	err = c.Format(ctx, nvme.FormatOptions{NSID: 1, Format: 8})
	fmt.Println(err)
	// Output:
	// nvme: format NVM (admin opcode 80h, nsid 1, cdw10 00000201h): refused, as this is a dry run
	// nvme: format NVM: Format is 8, want 0 to 1
}

// A tracer shows each command.
func ExampleNewTracer() {
	ctx := context.Background()
	traced := nvme.NewTracer(replay("health.jsonl"), func(t nvme.Trace) {
		fmt.Printf("%v: %v\n", t.Command, t.Completion.Status)
	})
	c := nvme.NewController(traced)
	if _, err := c.Identify(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := c.SMARTLog(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// identify (admin opcode 06h, cdw10 00000001h, 4096 bytes of data): successful completion (SCT 0h, SC 00h)
	// get log page (admin opcode 02h, nsid all, cdw10 007F0002h, 512 bytes of data): successful completion (SCT 0h, SC 00h)
}
