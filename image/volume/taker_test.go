package volume_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/volume"
)

// taker is a sink that takes files over, and keeps the last.
type taker struct {
	memory
	file *os.File
	size int64
}

func (t *taker) Take(f *os.File, size int64) (bool, error) {
	t.file, t.size = f, size
	return true, nil
}

func TestTake(t *testing.T) {
	for _, tc := range []struct {
		name  string
		sink  volume.Sink
		begin int64 // of the volume
		at    int64 // in it
		size  int64 // of the file
		taken bool
	}{
		{"all", &taker{}, 0, 0, 100, true},
		{"the beginning", &taker{}, 0, 0, 50, true},
		{"too much", &taker{}, 0, 0, 101, false},
		{"behind another volume", &taker{}, 512, 0, 100, false},
		{"behind other bytes", &taker{}, 0, 1, 50, false},
		{"no taker", &memory{}, 0, 0, 100, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			disk := volume.NewWriter(tc.sink, 1000)
			defer disk.Close()
			w := disk.Section(tc.begin, 100)
			require.NoError(t, w.SkipTo(tc.at))
			f := os.Stdin // which nobody reads
			taken, err := w.Take(f, tc.size)
			require.NoError(t, err)
			require.Equal(t, tc.taken, taken)
			if taken {
				require.Equal(t, tc.size, w.Offset())
				require.Equal(t, &taker{file: f, size: tc.size}, tc.sink)
			} else {
				require.Equal(t, tc.at, w.Offset())
			}
		})
	}
}
