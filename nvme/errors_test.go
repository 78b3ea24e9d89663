package nvme

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The contract of errors.go.
func TestErrorContract(t *testing.T) {
	var err error = fmt.Errorf("while reading: %w", &CommandError{Queue: IOQueue, Opcode: IORead, NSID: 3, Status: StatusUnrecoveredRead.WithDNR()})
	require.ErrorIs(t, err, StatusUnrecoveredRead)
	require.ErrorIs(t, err, StatusUnrecoveredRead.WithMore(), "CRD, MORE and DNR do not matter")
	require.NotErrorIs(t, err, StatusSuccess)
	require.EqualError(t, err, "while reading: nvme: read on nsid 3: unrecovered read error (SCT 2h, SC 81h, do not retry)")

	err = &CommandError{Opcode: AdminFabrics, Status: 0x4184}
	require.EqualError(t, err, "nvme: fabrics command: connect invalid host (SCT 1h, SC 84h, do not retry)")
	err = &CommandError{Opcode: 0xc5, Status: 0x7c1}
	require.EqualError(t, err, "nvme: vendor's admin command C5h: vendor specific status (SCT 7h, SC C1h)")

	err = &ArgumentError{"format NVM", "Format", 16, "0 to 3"}
	require.ErrorIs(t, err, os.ErrInvalid)
	require.ErrorIs(t, err, fs.ErrInvalid)
	require.EqualError(t, err, "nvme: format NVM: Format is 16, want 0 to 3")

	err = Decode(make([]byte, 5), new(SMARTLog))
	require.EqualError(t, err, "nvme: decode SMARTLog: 5 bytes, want 512")

	// A context that is over keeps a command from being sent.
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	d := newFakeDrive()
	_, err = NewController(d).SMARTLog(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, d.commands)
}

// What the transport says is passed on as it is.
func TestTransportErrorsPass(t *testing.T) {
	d := newFakeDrive()
	d.answer = func(Command) (Completion, error) { return Completion{}, ErrExpired }
	c := NewController(d)
	n, err := c.Namespace(t.Context(), 1)
	require.NoError(t, err)
	block := make([]byte, 4096)
	for name, call := range map[string]func() error{
		"read":     func() error { return n.Read(t.Context(), 0, block, IOOptions{}) },
		"log":      func() error { _, err := c.SelfTestLog(t.Context()); return err },
		"commit":   func() error { _, err := c.FirmwareCommit(t.Context(), FirmwareCommit{}); return err },
		"feature":  func() error { return c.ReadFeature(t.Context(), new(KeepAlive), FeatureOptions{}) },
		"set":      func() error { return c.WriteFeature(t.Context(), new(KeepAlive), FeatureOptions{}) },
		"list":     func() error { _, err := c.ActiveNamespaces(t.Context()); return err },
		"streams":  func() error { _, err := c.OpenStreams(t.Context(), 1); return err },
		"reserved": func() error { _, err := n.Reservations(t.Context()); return err },
	} {
		require.ErrorIs(t, call(), ErrExpired, name)
	}
	require.ErrorIs(t, c.Format(t.Context(), FormatOptions{NSID: 1}), ErrExpired)
}
