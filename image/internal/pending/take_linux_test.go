package pending_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/pending"
	"github.com/drivebay/drivebay/image/internal/tempfile"
)

// TestTake publishes a file that another one has written.
func TestTake(t *testing.T) {
	dir := imagetest.UnnamedDir(t)
	for _, tc := range []struct {
		name    string
		dir     string
		written string // to the file that is to be published
		size    int64  // of it
		taken   bool
	}{
		{"same directory", dir, "", 10, true},
		{"another directory", t.TempDir(), "", 10, false},
		{"written to", dir, "own", 10, false},
		{"too short", dir, "", 4, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src, err := tempfile.Create(tc.dir, "test")
			require.NoError(t, err)
			defer src.Close()
			_, err = src.WriteString("bytes")
			require.NoError(t, err)
			f, err := pending.Create(filepath.Join(dir, "file"))
			require.NoError(t, err)
			defer f.Discard()
			_, err = f.WriteAt([]byte(tc.written), 0)
			require.NoError(t, err)
			require.NoError(t, f.Truncate(tc.size))

			taken, err := f.Take(src.File, 5)
			require.NoError(t, err)
			require.Equal(t, tc.taken, taken)
			require.NoError(t, src.Close())
			if taken {
				_, err = f.WriteAt([]byte("!"), 9)
				require.NoError(t, err)
			}
			require.NoError(t, f.Publish(true))
			want := make([]byte, tc.size)
			copy(want, tc.written)
			if taken {
				want = []byte("bytes\x00\x00\x00\x00!")
			}
			got, err := os.ReadFile(f.Target())
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, []string{"file"}, names(t, dir))
		})
	}
}

// A file that has had a name cannot be given another one.
func TestTakeOfAFileThatHadAName(t *testing.T) {
	dir := t.TempDir()
	src, err := os.Create(filepath.Join(dir, "source"))
	require.NoError(t, err)
	defer src.Close()
	f, err := pending.Create(filepath.Join(dir, "file"))
	require.NoError(t, err)
	defer f.Discard()
	taken, err := f.Take(src, 0)
	require.NoError(t, err)
	require.False(t, taken)
}
