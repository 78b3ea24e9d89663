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

// TestPublishThroughLinks wants links to stay, and what they lead to to be written.
func TestPublishThroughLinks(t *testing.T) {
	for _, tc := range []struct{ name, target string }{
		{"to a file", "sub/file"}, {"to nothing yet", "sub/new"}, {"to a link", "sub/link"}, {"upwards", "sub/up"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "sub", "file"), []byte("old"), 0o644))
			for link, target := range map[string]string{"sub/link": "file", "sub/up": "../above", "out": tc.target} {
				require.NoError(t, os.Symlink(target, filepath.Join(dir, link)))
			}
			name := filepath.Join(dir, "out")
			f, err := pending.Create(name)
			require.NoError(t, err)
			_, err = f.WriteString("new")
			require.NoError(t, err)
			require.NoError(t, f.Publish(false))
			got, err := os.ReadFile(name)
			require.NoError(t, err)
			require.Equal(t, "new", string(got))
			target, err := os.Readlink(name)
			require.NoError(t, err, "the link is gone")
			require.Equal(t, tc.target, target)
		})
	}
	t.Run("to itself", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "out")
		require.NoError(t, os.Symlink("out", name))
		_, err := pending.Create(name)
		require.EqualError(t, err, "create "+name+": too many symbolic links")
	})
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
