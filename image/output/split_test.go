package output_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/output"
)

// TestPart wants writes to be cut to the part.
func TestPart(t *testing.T) {
	f := create(t, "part")
	part := &output.Part{Offset: 4, Size: 6, Sink: f}
	for off, data := range map[int64]string{0: "abcdef", 6: "ghi", 9: "jklmn", 20: "x"} {
		n, err := part.WriteAt([]byte(data), off)
		require.NoError(t, err)
		require.Equal(t, len(data), n)
	}
	require.Equal(t, "efghij", string(readAll(t, f.Name())))
}

// short is a sink that takes half of what it is given.
type short struct{}

func (short) WriteAt(p []byte, _ int64) (int, error) { return len(p) / 2, nil }

func TestTee(t *testing.T) {
	a, b := create(t, "a"), create(t, "b")
	_, err := output.Tee{a, b}.WriteAt([]byte("data"), 3)
	require.NoError(t, err)
	require.Equal(t, "\x00\x00\x00data", string(readAll(t, a.Name())))
	require.Equal(t, readAll(t, a.Name()), readAll(t, b.Name()))
	_, err = output.Tee{short{}, b}.WriteAt([]byte("data"), 3)
	require.ErrorIs(t, err, io.ErrShortWrite)
}
