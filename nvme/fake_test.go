package nvme

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeDrive answers Identify from two structures and everything else with
// answer, and keeps the commands that were not Identify Controller or Namespace.
type fakeDrive struct {
	controller IdentifyController
	namespace  IdentifyNamespace
	answer     func(cmd Command) (Completion, error)
	commands   []Command
	operations []Operation
}

func newFakeDrive() *fakeDrive {
	d := &fakeDrive{
		controller: IdentifyController{
			AdminCommands: 0x7ff, LogPages: SupportsExtendedData, MaxDataTransferSize: 2,
			Sanitize: SupportsBlockErase | SupportsOverwrite, FormatAttributes: 0, NamespaceCount: 4,
		},
		namespace: IdentifyNamespace{
			Size: 1 << 33, Capacity: 1 << 33, FormatCount: 15, UniqueFormatCount: 4, MetadataCapabilities: 3,
			ProtectionCapabilities: 0x1f, MaxCopyRanges: 1, MaxCopyRangeLength: 100, MaxCopyLength: 150,
		},
	}
	for i := range 20 {
		d.namespace.Formats[i] = LBAFormat{DataSize: 12, MetadataSize: uint16(i * 8)}
	}
	d.namespace.Formats[7] = LBAFormat{}
	return d
}

func (d *fakeDrive) Submit(ctx context.Context, cmd Command) (Completion, error) {
	if err := cmd.check(); err != nil {
		return Completion{}, err
	}
	if _, err := cmd.TimeoutIn(ctx); err != nil {
		return Completion{}, err
	}
	if cmd.Queue == AdminQueue && cmd.Opcode == AdminIdentify {
		var s Structure
		switch CNS(cmd.CDW10) {
		case CNSController:
			s = &d.controller
		case CNSNamespace:
			s = &d.namespace
		}
		if s != nil {
			b, err := Encode(s)
			copy(cmd.Data, b)
			return Completion{}, err
		}
	}
	// Buffers of the API are its own again afterwards; keep what they hold now.
	kept := cmd
	if cmd.Opcode.Direction() == ToController {
		kept.Data = append([]byte(nil), cmd.Data...)
	}
	d.commands = append(d.commands, kept)
	if d.answer == nil {
		return Completion{}, nil
	}
	return d.answer(cmd)
}

func (d *fakeDrive) Operate(_ context.Context, op Operation) error {
	d.operations = append(d.operations, op)
	return nil
}

func (d *fakeDrive) NSID() (uint32, error) { return 4, nil }

// last returns the only command that was sent, and forgets it.
func (d *fakeDrive) last(t *testing.T) Command {
	t.Helper()
	require.Len(t, d.commands, 1)
	cmd := d.commands[0]
	d.commands = nil
	return cmd
}

func bytesOf(t *testing.T, s Structure) []byte {
	t.Helper()
	b, err := Encode(s)
	require.NoError(t, err)
	return b
}
