package wire_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/integration/vm/internal/wire"
)

func TestRoundTrip(t *testing.T) {
	var b bytes.Buffer
	w := wire.NewWriter(&b)
	long := bytes.Repeat([]byte{0, '\n', 0xff}, wire.MaxPayload) // 3 frames
	require.NoError(t, w.Write(wire.Stdout, long))
	require.NoError(t, w.Write(wire.Exit, nil))
	require.NoError(t, w.WriteJSON(wire.Ask, wire.Request{ID: 1, Execute: "stop"}))
	_, err := w.Stream(wire.Stderr).Write([]byte("text"))
	require.NoError(t, err)

	r := wire.NewReader(&b)
	var out []byte
	for range 3 {
		kind, payload, err := r.Read()
		require.NoError(t, err)
		require.Equal(t, wire.Stdout, kind)
		out = append(out, payload...)
	}
	require.Equal(t, long, out)
	for _, want := range []struct {
		kind    wire.Kind
		payload string
	}{{wire.Exit, ""}, {wire.Ask, `{"ID":1,"Execute":"stop"}`}, {wire.Stderr, "text"}} {
		kind, payload, err := r.Read()
		require.NoError(t, err)
		require.Equal(t, want.kind, kind)
		require.Equal(t, want.payload, string(payload))
	}
	_, _, err = r.Read()
	require.ErrorIs(t, err, io.EOF)
}

// TestForeignLines has a port on which others write too.
func TestForeignLines(t *testing.T) {
	for _, bad := range []string{"", "o", "panic: no", "o !!!!", strings.Repeat("x", 20_000)} {
		r := wire.NewReader(strings.NewReader(bad + "\no aGk=\n"))
		_, _, err := r.Read()
		require.ErrorIs(t, err, wire.ErrFrame, bad)
		kind, payload, err := r.Read()
		require.NoError(t, err, bad)
		require.Equal(t, "o hi", string(kind)+" "+string(payload))
	}
	_, _, err := wire.NewReader(strings.NewReader("o aG")).Read()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("o aGk=\nx e30=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(bytes.NewReader(b))
		for {
			kind, payload, err := r.Read()
			if errors.Is(err, wire.ErrFrame) {
				continue
			}
			if err != nil {
				return
			}
			var again bytes.Buffer
			require.NoError(t, wire.NewWriter(&again).Write(kind, payload))
			if len(payload) <= wire.MaxPayload {
				k, p, err := wire.NewReader(&again).Read()
				require.NoError(t, err)
				require.Equal(t, kind, k)
				require.Equal(t, string(payload), string(p))
			}
		}
	})
}
