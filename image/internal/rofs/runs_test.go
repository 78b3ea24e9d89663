package rofs_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/internal/rofs"
)

func TestAppendRun(t *testing.T) {
	var runs []rofs.Run
	for _, r := range []rofs.Run{{0, 100, 10}, {10, 110, 5}, {15, 200, 5}, {30, 205, 5}, {35, 210, 1}} {
		runs = rofs.AppendRun(runs, r)
	}
	require.Equal(t, []rofs.Run{{0, 100, 15}, {15, 200, 5}, {30, 205, 6}}, runs)
}

// Reads of any length from any place on, across runs, holes and the end.
func TestRunReader(t *testing.T) {
	const volume, want = "0123456789abcdefghij", "cde\x00\x00789\x00jj\x00\x00"
	r := &rofs.RunReader{Volume: strings.NewReader(volume), Size: int64(len(want)), Runs: []rofs.Run{
		{Offset: 0, At: 12, Length: 3}, {Offset: 5, At: 7, Length: 3}, {Offset: 9, At: 19, Length: 1}, {Offset: 10, At: 19, Length: 1},
	}}
	for off := range len(want) + 2 {
		for length := 1; length < len(want)+3; length++ {
			b := make([]byte, length)
			n, err := r.ReadAt(b, int64(off))
			left := want[min(off, len(want)):]
			require.Equal(t, left[:min(length, len(left))], string(b[:n]))
			if length > len(left) {
				require.Equal(t, io.EOF, err)
			} else {
				require.NoError(t, err)
			}
		}
	}
}

func TestRunReaderErrors(t *testing.T) {
	r := &rofs.RunReader{Volume: strings.NewReader("short"), Size: 20, Runs: []rofs.Run{{Offset: 2, At: 3, Length: 10}}}
	_, err := r.ReadAt(make([]byte, 1), -1)
	require.EqualError(t, err, "read at offset -1: want one from 0 on")
	n, err := r.ReadAt(make([]byte, 8), 0)
	require.Equal(t, 4, n)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.EqualError(t, err, "read 6 bytes at 3 of the volume: unexpected EOF")
}

func TestSum(t *testing.T) {
	var s rofs.Sum
	require.Equal(t, int64(5), s.Add(1000, 5))
	require.Equal(t, int64(12), s.Add(7, 7))
	require.Equal(t, int64(12), s.Add(1000, 5), "it is there already")
	require.Equal(t, int64(13), s.Add(1<<60, 1))
}
