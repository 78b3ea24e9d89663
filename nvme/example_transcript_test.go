package nvme

import (
	"bytes"
	"context"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the transcripts of the examples anew")

// The transcripts of the examples are what a fake drive answers; -update writes
// them.
func TestExampleTranscripts(t *testing.T) {
	drive := newFakeDrive()
	drive.controller = IdentifyController{
		PCIVendorID: 0x1b36, SerialNumber: "EX0001", ModelNumber: "Example Drive 960", FirmwareRevision: "2.1.0",
		MaxDataTransferSize: 5, Version: Version1_4, Type: IOController, AdminCommands: SupportsFormat | SupportsFirmware,
		FirmwareUpdates: 0x17, LogPages: SupportsExtendedData, NamespaceCount: 1, SQEntrySize: 0x66, CQEntrySize: 0x44,
		SubsystemNQN: "nqn.2014.08.org.nvmexpress:uuid:00000000-0000-0000-0000-000000000001",
	}
	drive.namespace = IdentifyNamespace{Size: 1 << 21, Capacity: 1 << 21, FormatCount: 1}
	drive.namespace.Formats[0] = LBAFormat{DataSize: 9}
	drive.namespace.Formats[1] = LBAFormat{DataSize: 12}
	commits := 0
	drive.answer = func(cmd Command) (Completion, error) {
		var page Structure
		switch {
		case cmd.Opcode == AdminFirmwareCommit:
			commits++
			return Completion{Status: []Status{StatusFirmwareNeedsReset, StatusInvalidFirmwareSlot.WithDNR()}[commits-1]}, nil
		case cmd.Opcode != AdminGetLogPage:
			return Completion{}, nil
		case LogPageID(cmd.CDW10) == LogSMART:
			page = &SMARTLog{
				Temperature: 311, AvailableSpare: 100, SpareThreshold: 10, PercentageUsed: 3,
				DataUnitsWritten: Uint128{Lo: 42_187_500}, PowerOnHours: Uint128{Lo: 4711},
			}
		case LogPageID(cmd.CDW10) == LogFirmwareSlots:
			page = &FirmwareSlotLog{ActiveInfo: 2, Revisions: [7]string{"2.0.0", "2.1.0"}}
		}
		b, err := Encode(page)
		copy(cmd.Data, b)
		return Completion{}, err
	}
	for name, session := range map[string]func(context.Context, *Controller) error{
		"health.jsonl": func(ctx context.Context, c *Controller) error {
			_, err1 := c.Identify(ctx)
			_, err2 := c.SMARTLog(ctx)
			_, err3 := c.FirmwareSlotLog(ctx)
			return firstOf(err1, err2, err3)
		},
		"firmware.jsonl": func(ctx context.Context, c *Controller) error {
			err1 := c.FirmwareDownload(ctx, 0, make([]byte, 4096))
			err2 := c.FirmwareDownload(ctx, 4096, make([]byte, 4096))
			_, err3 := c.FirmwareCommit(ctx, FirmwareCommit{Action: ReplaceAndActivateAtReset, Slot: 2})
			_, _ = c.FirmwareCommit(ctx, FirmwareCommit{Action: ReplaceFirmware, Slot: 1})
			return firstOf(err1, err2, err3)
		},
		"format.jsonl": func(ctx context.Context, c *Controller) error {
			err1 := c.CheckFormat(ctx, FormatOptions{NSID: 1})
			err2 := c.CheckFormat(ctx, FormatOptions{NSID: 1})
			return firstOf(err1, err2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			require.NoError(t, session(t.Context(), NewController(NewRecorder(drive, &got))))
			if *update {
				require.NoError(t, os.WriteFile("testdata/"+name, got.Bytes(), 0o644))
			}
			want, err := os.ReadFile("testdata/" + name)
			require.NoError(t, err)
			require.Equal(t, string(want), got.String())
		})
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
