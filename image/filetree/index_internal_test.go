package filetree

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNamesInOrderNeedNoIndex makes an index for the first name that is out of order,
// and finds names with one and without.
func TestNamesInOrderNeedNoIndex(t *testing.T) {
	tr := New()
	add := func(path string) error {
		_, err := tr.Add(path, Entry{})
		return err
	}
	for _, path := range []string{"a/1", "a/2", "b/1", "b/2/x", "b/2/y"} {
		require.NoError(t, add(path))
		require.ErrorIs(t, add(path), ErrExist)
	}
	require.False(t, tr.index.made.Load())
	require.NoError(t, add("a/0"))
	require.True(t, tr.index.made.Load())
	for _, path := range []string{"a/0", "a/1", "a/2", "b/1", "b/2/x", "b/2/y"} {
		require.ErrorIs(t, add(path), ErrExist)
	}
}
