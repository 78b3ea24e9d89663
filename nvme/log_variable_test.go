package nvme

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// logDrive serves one log page, and zeros behind its end.
func logDrive(page []byte) *fakeDrive {
	d := newFakeDrive()
	d.answer = func(cmd Command) (Completion, error) {
		clear(cmd.Data)
		if off := int(cmd.CDW12); off < len(page) {
			copy(cmd.Data, page[off:])
		}
		return Completion{}, nil
	}
	return d
}

// What a command asked for: the log, its parameters, whether the event is retained,
// and how many bytes.
type asked struct {
	id        LogPageID
	parameter uint8
	specific  uint16
	retain    bool
	size      int
}

func (d *fakeDrive) asked() (all []asked) {
	for _, cmd := range d.commands {
		all = append(all, asked{LogPageID(cmd.CDW10), uint8(cmd.CDW10 >> 8 & 0x7f), uint16(cmd.CDW11 >> 16), cmd.CDW10&(1<<15) != 0, len(cmd.Data)})
	}
	return all
}

// Logs that say how long they are take two commands, the first of which retains the
// event.
func TestLogsThatSayTheirLength(t *testing.T) {
	d := logDrive(append([]byte{3, 0, 0, 0, 0, 0, 0, 0}, 1, 0, 2, 0, 3, 0))
	sets, err := NewController(d).PredictableLatencyEvents(t.Context())
	require.NoError(t, err)
	require.Equal(t, []uint16{1, 2, 3}, sets)
	require.Equal(t, []asked{{LogPredictableEvents, 0, 0, true, 8}, {LogPredictableEvents, 0, 0, false, 16}}, d.asked())

	d = logDrive(nil)
	groups, err := NewController(d).EnduranceGroupEvents(t.Context())
	require.NoError(t, err)
	require.Empty(t, groups)
	require.Equal(t, []asked{{LogEnduranceEvents, 0, 0, true, 8}, {LogEnduranceEvents, 0, 0, false, 8}}, d.asked())

	d = logDrive([]byte{16, 0, 0, 0})
	status, err := NewController(d).LBAStatusLog(t.Context())
	require.NoError(t, err)
	require.Equal(t, &LBAStatusLog{Length: 16}, status)
	require.Equal(t, []asked{{LogLBAStatus, 0, 0, true, 16}, {LogLBAStatus, 0, 0, false, 16}}, d.asked())

	_, err = NewController(logDrive([]byte{0xff, 0xff, 0xff, 0xff})).LBAStatusLog(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.EqualError(t, err, "nvme: get log page 0Eh: 4294967295 bytes long, want at most 67108864: unsupported operation")
}

// Logs that do not are read in ever larger parts, until their end is found.
func TestLogsThatDoNotSayTheirLength(t *testing.T) {
	const units = 300
	page := make([]byte, 16+16*units)
	binary.LittleEndian.PutUint16(page, units)
	for i := range units {
		unit := page[16+16*i:]
		binary.LittleEndian.PutUint16(unit, uint16(i))
		unit[13] = 16
	}
	d := logDrive(page)
	l, err := NewController(d).MediaUnits(t.Context(), 7)
	require.NoError(t, err)
	require.Len(t, l.Units, units)
	require.Equal(t, MediaUnit{ID: units - 1}, l.Units[units-1])
	require.Equal(t, []int{4096, 16384}, sizes(d))

	list, err := NewController(logDrive([]byte{0})).CapacityConfigurations(t.Context(), 7)
	require.NoError(t, err)
	require.Empty(t, list)

	page[16+13] = 17
	d = logDrive(page)
	_, err = NewController(d).MediaUnits(t.Context(), 0)
	require.Equal(t, []int{4096}, sizes(d), "more of it would not help")
	var bad *DecodeError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, "channels of media unit 0 at 17, want a multiple of 16", bad.Problem)
}

func sizes(d *fakeDrive) (all []int) {
	for _, a := range d.asked() {
		all = append(all, a.size)
	}
	return all
}

func TestLockdown(t *testing.T) {
	page, err := Encode(&LockdownLog{Attributes: 0x12, Identifiers: []uint8{6, 7}})
	require.NoError(t, err)
	require.Equal(t, []byte{0x12, 0, 0, 2, 6, 7}, page[:6])
	d := logDrive(page)
	c := NewController(d)
	l, err := c.Lockdown(t.Context(), LockdownFeatures, LockdownProhibited)
	require.NoError(t, err)
	require.Equal(t, &LockdownLog{Attributes: 0x12, Identifiers: []uint8{6, 7}}, l)
	require.Equal(t, []asked{{LogLockdown, 0x12, 0, false, 512}}, d.asked())

	_, err = c.Lockdown(t.Context(), LockdownAdminCommands, LockdownProhibited)
	require.EqualError(t, err, "nvme: decode LockdownLog: a list of scope 2 and contents 1, asked for 0 and 1")
	_, err = c.Lockdown(t.Context(), 16, LockdownProhibited)
	require.EqualError(t, err, "nvme: lockdown log: scope is 16, want one of the constants")
	_, err = c.Lockdown(t.Context(), LockdownFeatures, 3)
	require.EqualError(t, err, "nvme: lockdown log: contents is 3, want one of the constants")
}
