package pending_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/internal/pending"
)

// names returns the names of the files in a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	list := []string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestPublish(t *testing.T) {
	for _, durable := range []bool{false, true} {
		dir := t.TempDir()
		name := filepath.Join(dir, "file")
		for _, content := range []string{"first", "second"} { // which takes the first one's place
			f, err := pending.Create(name)
			require.NoError(t, err)
			_, err = f.WriteString(content)
			require.NoError(t, err)
			require.NoError(t, f.Publish(durable))
			f.Discard()
			got, err := os.ReadFile(name)
			require.NoError(t, err)
			require.Equal(t, content, string(got))
			require.Equal(t, []string{"file"}, names(t, dir))
		}
	}
}

func TestDiscard(t *testing.T) {
	dir := t.TempDir()
	f, err := pending.Create(filepath.Join(dir, "file"))
	require.NoError(t, err)
	_, err = f.WriteString("x")
	require.NoError(t, err)
	f.Discard()
	f.Discard()
	require.Empty(t, names(t, dir))
}

// TestErrorsNameTheFile wants the name that the file is to have, which is not the
// one that the system knows.
func TestErrorsNameTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	f, err := pending.Create(name)
	require.NoError(t, err)
	f.Discard()
	_, err = f.WriteString("x")
	var path *fs.PathError
	require.ErrorAs(t, err, &path)
	require.Contains(t, path.Path, "file")
}

func TestCreateErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := pending.Create(dir)
	require.ErrorContains(t, err, "it exists and is not a regular file")
	_, err = pending.Create(filepath.Join(dir, "no", "file"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Empty(t, names(t, dir))
}
