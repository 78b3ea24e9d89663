package erofs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/volume"
)

// copies is a tree of files with the same contents, and of others as long as these.
func copies(t testing.TB) *filetree.Tree {
	t.Helper()
	tr := everything(t)
	for _, size := range []int{100, 4095, 4096, 5000, 1 << 20, 1<<20 + 1} {
		for i := range 3 {
			for name, b := range map[string][]byte{"same": sample.Noise(1, size), "other": sample.Noise(uint64(10+i), size)} {
				e := filetree.File(b, 0o644)
				e.ModTime, e.UID = created, uint32(i)
				e.Xattrs = []filetree.Xattr{{Name: "user.i", Value: fmt.Append(nil, i)}}
				_, err := tr.Add(fmt.Sprintf("copies/%d/%s%d", i, name, size), e)
				require.NoError(t, err)
			}
		}
	}
	return tr
}

func TestDeduplicate(t *testing.T) {
	for _, blockSize := range []int{512, 4096} {
		tr := copies(t)
		all := bytesOf(t, plan(t, &erofs.FileSystem{Tree: tr, BlockSize: blockSize}))
		fs := &erofs.FileSystem{Tree: tr, BlockSize: blockSize, Deduplicate: true}
		b := bytesOf(t, plan(t, fs))
		start := sample.Noise(1, 4096) // of the files of four lengths
		require.Equal(t, 4, bytes.Count(b, start))
		require.Equal(t, 4*3, bytes.Count(all, start))
		require.Less(t, len(b), len(all)-4<<20)
		require.True(t, bytes.Equal(b, bytesOf(t, plan(t, fs))), "made again")
		imagetest.RequireFS(t, tr, openBytes(t, b), filetree.DiffOptions{Skip: imagetest.Skip("holes/huge")})
	}
}

// Plan reads what is as long as something else, Write the first of each content and
// what has not been read.
func TestDeduplicateReads(t *testing.T) {
	tr := filetree.New()
	var opened []string
	for name, b := range map[string][]byte{
		"a": sample.Noise(1, 5000), "b": sample.Noise(1, 5000), "c": sample.Noise(2, 5000), "d": sample.Noise(3, 6000), "e": sample.Noise(4, 10), "f": sample.Noise(4, 10),
	} {
		e := filetree.File(b, 0o644)
		open := e.Open
		e.Open = func() (filetree.Content, error) { opened = append(opened, name); return open() }
		_, err := tr.Add(name, e)
		require.NoError(t, err)
	}
	p := plan(t, &erofs.FileSystem{Tree: tr, Deduplicate: true})
	require.Equal(t, []string{"a", "b", "c"}, opened)
	opened = nil
	bytesOf(t, p)
	slices.Sort(opened)
	require.Equal(t, []string{"a", "c", "d", "e", "f"}, opened)
}

// A file that is another when it is written than it was when it was compared would
// be that in other places, too.
func TestDeduplicateChanged(t *testing.T) {
	tr := filetree.New()
	times := byte(0)
	for _, name := range []string{"a", "b"} {
		e := filetree.File(make([]byte, 5000), 0o644)
		e.Open = func() (filetree.Content, error) {
			times++
			return io.NopCloser(bytes.NewReader(bytes.Repeat([]byte{times / 3}, 5000))), nil
		}
		_, err := tr.Add(name, e)
		require.NoError(t, err)
	}
	p := plan(t, &erofs.FileSystem{Tree: tr, Deduplicate: true})
	w := volume.NewWriter(discard{}, p.Info().Size)
	defer w.Close()
	err := p.Write(t.Context(), w)
	require.ErrorIs(t, err, filetree.ErrChanged)
	require.EqualError(t, err, "erofs: read a: changed while it was read")
}

func TestDeduplicateStops(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	r := &endless{cancel: func() { cancel(cause) }}
	tr := one(t, "y", broken(1<<40, r))
	_, err := tr.Add("z", broken(1<<40, r))
	require.NoError(t, err)
	_, err = (&erofs.FileSystem{Tree: tr, Deduplicate: true}).Plan(ctx, geometry(0))
	require.ErrorIs(t, err, cause)
	require.Less(t, r.read, int64(64<<20))
}
