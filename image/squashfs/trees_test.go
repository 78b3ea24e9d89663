package squashfs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

const longName = "and a name of some length"

// many is a tree of n small files, with names made of a number and longName.
func many(t testing.TB, format string, n int) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	for i := range n {
		e := filetree.File(fmt.Appendf(nil, "%d", i%1000), 0o644)
		e.ModTime = created
		_, err := tr.Add(fmt.Sprintf(format, i, longName), e)
		require.NoError(t, err)
	}
	return tr
}

// small is a tree of a few files of all sizes.
func small(t testing.TB) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	for i, n := range []int{0, 1, 100, 8191, 8192, 8193, 1 << 17, 1<<20 + 77} {
		for kind, b := range map[string][]byte{"pattern": pattern(n), "noise": noise(uint64(i), n)} {
			e := filetree.File(b, 0o644)
			e.ModTime = created
			_, err := tr.Add(fmt.Sprintf("%s/%d", kind, n), e)
			require.NoError(t, err)
		}
	}
	return tr
}
