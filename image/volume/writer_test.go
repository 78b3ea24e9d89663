package volume_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/volume"
)

// memory is a sink that remembers which ranges were written.
type memory struct {
	data   []byte
	ranges [][2]int64
	err    error
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	m.ranges = append(m.ranges, [2]int64{off, off + int64(len(p))})
	return copy(m.data[off:], p), nil
}

func TestWriterLeavesOutZeros(t *testing.T) {
	const mib = 1 << 20
	m := &memory{data: make([]byte, 4*mib)}
	w := volume.NewWriter(m, int64(len(m.data)))
	defer w.Close()

	ones := bytes.Repeat([]byte{1}, 8192)
	_, err := w.Write(append(make([]byte, 8192), ones...)) // zeros first
	require.NoError(t, err)
	require.NoError(t, w.SkipTo(16384+100)) // a small gap
	require.NoError(t, w.ReadN(bytes.NewReader(ones), 1000))
	require.NoError(t, w.SkipTo(2*mib)) // a large one
	s := w.Section(3*mib, mib)
	require.NoError(t, s.SkipTo(mib-8192))
	_, err = s.Write(ones)
	require.NoError(t, err)
	require.NoError(t, w.Flush())

	require.Equal(t, [][2]int64{{8192, 16384 + 1100}, {4*mib - 8192, 4 * mib}}, m.ranges)
	want := make([]byte, 4*mib)
	copy(want[8192:], ones)
	copy(want[16384+100:], ones[:1000])
	copy(want[4*mib-8192:], ones)
	require.True(t, bytes.Equal(want, m.data))
	require.Equal(t, int64(8192+1100+8192), w.Written())
}

func TestWriterManyBuffers(t *testing.T) {
	want := bytes.Repeat([]byte("drivebay"), 1<<20)
	m := &memory{data: make([]byte, len(want)+5)}
	w := volume.NewWriter(m, int64(len(m.data)))
	defer w.Close()
	require.NoError(t, w.SkipTo(5))
	require.NoError(t, w.ReadN(bytes.NewReader(want), 12345))
	_, err := w.Write(want[12345:])
	require.NoError(t, err)
	require.NoError(t, w.Flush())
	require.True(t, bytes.Equal(want, m.data[5:]))
	require.Equal(t, int64(len(m.data)), w.Offset())
}

func TestWriterErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		name string
		do   func(w *volume.Writer) error
		want string
	}{
		{"backwards", func(w *volume.Writer) error {
			return errors.Join(w.SkipTo(10), w.SkipTo(9))
		}, "going back from offset 10 to 9"},
		{"past the end", func(w *volume.Writer) error { return w.SkipTo(101) }, "past the volume's end at 100"},
		{"too much", func(w *volume.Writer) error {
			_, err := w.Write(make([]byte, 101))
			return err
		}, "101 bytes at offset 0 exceed the volume's 100"},
		{"short source", func(w *volume.Writer) error {
			return w.ReadN(strings.NewReader("four"), 5)
		}, io.ErrUnexpectedEOF.Error()},
		{"closed", func(w *volume.Writer) error {
			_ = w.Close()
			_, err := w.Write([]byte{1})
			return err
		}, "closed"},
		{"closed, then flushed", func(w *volume.Writer) error {
			_ = w.Close()
			return w.Flush()
		}, "closed"},
		{"sink", func(w *volume.Writer) error {
			_, err := w.Write([]byte{1})
			return errors.Join(err, w.Flush())
		}, "broken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := volume.NewWriter(&memory{err: broken}, 100)
			defer w.Close()
			require.ErrorContains(t, tc.do(w), tc.want)
		})
	}
}

func TestWriterErr(t *testing.T) {
	w := volume.NewWriter(&memory{}, 0)
	defer w.Close()
	require.NoError(t, w.Err(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, w.Err(ctx), context.Canceled)
}

func TestDerive(t *testing.T) {
	seed := uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001")
	a, b := volume.Derive(seed, "disk"), volume.Derive(seed, "filesystem")
	require.Equal(t, a, volume.Geometry{Seed: seed}.Derive("disk"))
	require.NotEqual(t, a, b)
	require.Equal(t, uuid.Version(8), a.Version())
	require.Equal(t, uuid.RFC4122, a.Variant())
}
