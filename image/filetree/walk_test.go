package filetree_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

// build returns a tree of empty files, directories where the name ends in "/".
func build(t testing.TB, names ...string) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	for _, name := range names {
		e := filetree.File(nil, 0o644)
		if dir, ok := strings.CutSuffix(name, "/"); ok {
			name, e = dir, filetree.Dir(0o755)
		}
		_, err := tr.Add(name, e)
		require.NoError(t, err)
	}
	return tr
}

func TestWalk(t *testing.T) {
	errStop := errors.New("stop")
	names := []string{"c", "b/2/x", "b/2/y", "b/1/z", "a", "b/3", "d/"}
	for _, tt := range []struct {
		name string
		at   string
		err  error
		want string
	}{
		{"all", "", nil, ". a b b/1 b/1/z b/2 b/2/x b/2/y b/3 c d"},
		{"skip a directory", "b/2", fs.SkipDir, ". a b b/1 b/1/z b/2 b/3 c d"},
		{"skip what is left of a directory", "b/2/x", fs.SkipDir, ". a b b/1 b/1/z b/2 b/2/x b/3 c d"},
		{"skip what is left of the root", "a", fs.SkipDir, ". a"},
		{"skip the root", ".", fs.SkipDir, "."},
		{"skip an empty directory", "d", fs.SkipDir, ". a b b/1 b/1/z b/2 b/2/x b/2/y b/3 c d"},
		{"skip all", "b/1", fs.SkipAll, ". a b b/1"},
		{"error", "b/1/z", errStop, ". a b b/1 b/1/z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			err := build(t, names...).Walk(func(n filetree.Node) error {
				got = append(got, n.Path())
				if n.Path() == tt.at {
					return tt.err
				}
				return nil
			})
			require.Equal(t, tt.want, strings.Join(got, " "))
			if tt.err == errStop {
				require.Equal(t, errStop, err)
			} else {
				require.NoError(t, err)
			}
		})
	}
}
