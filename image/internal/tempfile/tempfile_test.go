package tempfile

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNothingIsLeft(t *testing.T) {
	for name, make := range map[string]func(dir, prefix string) (*File, error){"Create": Create, "createNamed": createNamed} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f, err := make(dir, "test")
			require.NoError(t, err)
			defer f.Close()
			_, err = f.WriteAt([]byte("bytes"), 10)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			require.NoError(t, f.Close())
			list, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, list)
		})
	}
}

func TestNoSuchDirectory(t *testing.T) {
	_, err := Create(t.TempDir()+"/none", "test")
	require.ErrorIs(t, err, fs.ErrNotExist)
}
