package squashfs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/squashfs"
)

// variants are the ways to write an image.
var variants = map[string]func() *squashfs.FileSystem{
	"zstd":         func() *squashfs.FileSystem { return &squashfs.FileSystem{} },
	"zstd-15":      func() *squashfs.FileSystem { return &squashfs.FileSystem{Level: 15, BlockSize: 1 << 20} },
	"gzip":         func() *squashfs.FileSystem { return &squashfs.FileSystem{Compression: squashfs.Gzip} },
	"none":         func() *squashfs.FileSystem { return &squashfs.FileSystem{Compression: squashfs.None} },
	"lz4":          func() *squashfs.FileSystem { return &squashfs.FileSystem{Compression: squashfs.LZ4} },
	"lz4-1":        func() *squashfs.FileSystem { return &squashfs.FileSystem{Compression: squashfs.LZ4, Level: 1} },
	"4 KiB blocks": func() *squashfs.FileSystem { return &squashfs.FileSystem{BlockSize: 4096} },
	"1 MiB blocks": func() *squashfs.FileSystem { return &squashfs.FileSystem{BlockSize: 1 << 20} },
	"all tails":    func() *squashfs.FileSystem { return &squashfs.FileSystem{Tails: squashfs.TailsAlways} },
	"no tails":     func() *squashfs.FileSystem { return &squashfs.FileSystem{Tails: squashfs.TailsNever} },
	"gzip, 16 KiB": func() *squashfs.FileSystem {
		return &squashfs.FileSystem{Compression: squashfs.Gzip, Level: 1, BlockSize: 16 << 10}
	},
	"none, tails": func() *squashfs.FileSystem {
		return &squashfs.FileSystem{Compression: squashfs.None, Tails: squashfs.TailsAlways, BlockSize: 4096}
	},
}

const longName = "and a name of some length"

// many is a tree of n small files, with names made of a number and longName.
func many(t testing.TB, format string, n int) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	for i := range n {
		e := filetree.File(fmt.Appendf(nil, "%d", i%1000), 0o644)
		e.ModTime = imagetest.Created
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
		for kind, b := range map[string][]byte{"pattern": sample.Pattern(n), "noise": sample.Noise(uint64(i), n)} {
			e := filetree.File(b, 0o644)
			e.ModTime = imagetest.Created
			_, err := tr.Add(fmt.Sprintf("%s/%d", kind, n), e)
			require.NoError(t, err)
		}
	}
	return tr
}
