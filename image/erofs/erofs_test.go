package erofs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/volume"
)

// plan plans a file system of the smallest size.
func plan(t testing.TB, fs *erofs.FileSystem) volume.Plan {
	t.Helper()
	p, err := fs.Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	return p
}

// one is a tree of one file.
func one(t testing.TB, path string, e filetree.Entry) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	_, err := tr.Add(path, e)
	require.NoError(t, err)
	return tr
}

// smaller is what of everything takes little room.
func smaller(t testing.TB) *filetree.Tree {
	t.Helper()
	tr := one(t, "large", filetree.File(sample.Noise(1, 1<<20), 0o644))
	for i := range 3000 {
		e := filetree.File(sample.Noise(uint64(i), i%600), 0o644)
		e.ModTime, e.UID = created, uint32(i%5)
		e.Xattrs = []filetree.Xattr{{Name: "user.number", Value: fmt.Append(nil, i%100)}}
		_, err := tr.Add(fmt.Sprintf("d%d/%d", i%7, i), e)
		require.NoError(t, err)
	}
	return tr
}

func TestSameBytes(t *testing.T) {
	p := plan(t, &erofs.FileSystem{Tree: everything(t)})
	b := bytesOf(t, p)
	require.True(t, bytes.Equal(b, bytesOf(t, p)), "written again")
	require.True(t, bytes.Equal(b, bytesOf(t, plan(t, &erofs.FileSystem{Tree: everything(t)}))), "made again")
}

func TestOrderOfAdditionDoesNotMatter(t *testing.T) {
	forward, backward := filetree.New(), filetree.New()
	const n = 3000
	for i := range n {
		for tr, k := range map[*filetree.Tree]int{forward: i, backward: n - 1 - i} {
			e := filetree.File(sample.Noise(uint64(k%50), 100*(k%100)), 0o644)
			e.ModTime, e.Xattrs = created, []filetree.Xattr{{Name: "user.number", Value: fmt.Append(nil, k%100)}}
			_, err := tr.Add(fmt.Sprintf("d%d/%d", k%7, k), e)
			require.NoError(t, err)
		}
	}
	for _, tr := range []*filetree.Tree{forward, backward} {
		for i := range 7 { // implied directories have the time of whoever came first
			e := filetree.Dir(0o755)
			e.ModTime = created
			_, err := tr.Add(fmt.Sprintf("d%d", i), e)
			require.NoError(t, err)
		}
	}
	require.True(t, bytes.Equal(bytesOf(t, plan(t, &erofs.FileSystem{Tree: forward})), bytesOf(t, plan(t, &erofs.FileSystem{Tree: backward}))))
}

func TestReplan(t *testing.T) {
	p := plan(t, &erofs.FileSystem{Tree: smaller(t)})
	smallest := p.Info()
	want := bytesOf(t, p)
	for _, size := range []int64{smallest.Size, smallest.Size + 512, 64 << 20, smallest.Size} {
		var err error
		p, err = p.(volume.Replanner).Replan(t.Context(), geometry(size))
		require.NoError(t, err)
		info := smallest
		info.Size = size
		require.Equal(t, info, p.Info())
		require.True(t, bytes.Equal(want, bytesOf(t, p)[:len(want)]))
	}
	_, err := p.(volume.Replanner).Replan(t.Context(), geometry(smallest.Size-512))
	require.Equal(t, &volume.SizeError{Format: "erofs", Size: smallest.Size - 512, Need: smallest.Size, Resource: "bytes"}, err)
}

func TestTooSmall(t *testing.T) {
	fs := &erofs.FileSystem{Tree: smaller(t), BlockSize: 512}
	need := plan(t, fs).Info().Size
	_, err := fs.Plan(t.Context(), geometry(need-512))
	require.Equal(t, &volume.SizeError{Format: "erofs", Size: need - 512, Need: need, Resource: "bytes"}, err)
}

func TestInfo(t *testing.T) {
	tr := one(t, "file", filetree.File(sample.Noise(1, 10000), 0o644))
	require.Equal(t, volume.Info{
		Format: "erofs", Label: "fifteen letters", UUID: geometry(0).Derive("filesystem").String(),
		Size: 16384, Used: 16384, Files: 2, // the superblock and the root, two blocks of the file, and its inode
	}, plan(t, &erofs.FileSystem{Tree: tr, Label: "fifteen letters"}).Info())
	require.Equal(t, int64(4096), plan(t, &erofs.FileSystem{}).Info().Size)
	require.Equal(t, int64(1536), plan(t, &erofs.FileSystem{BlockSize: 512}).Info().Size)
}

func TestHolesTakeNoRoom(t *testing.T) {
	tr := one(t, "holes", sample.Sparse(100<<30, filetree.Range{Offset: 1 << 30, Length: 1 << 20}, filetree.Range{Offset: 77 << 30, Length: 5000}))
	p := plan(t, &erofs.FileSystem{Tree: tr})
	require.Less(t, p.Info().Size, int64(3<<20))
	require.Len(t, bytesOf(t, p), int(p.Info().Size))
}

func TestSharedAttributesAreWrittenOnce(t *testing.T) {
	tr := filetree.New()
	label := sample.Noise(1, 1000)
	for i := range 500 {
		e := filetree.Entry{Mode: 0o644, ModTime: created, Xattrs: []filetree.Xattr{{Name: "security.selinux", Value: label}}}
		_, err := tr.Add(fmt.Sprint(i), e)
		require.NoError(t, err)
	}
	b := bytesOf(t, plan(t, &erofs.FileSystem{Tree: tr}))
	require.Equal(t, 1, bytes.Count(b, label))
	require.Less(t, len(b), 100<<10)
}

func TestOptions(t *testing.T) {
	old, coarse := geometry(0), geometry(0)
	old.Time = time.Unix(-1, 0)
	coarse.SectorSize = 4096
	for _, tc := range []struct {
		fs   erofs.FileSystem
		g    volume.Geometry
		want string
	}{
		{erofs.FileSystem{BlockSize: 256}, geometry(0), "erofs: block size 256: bad option: want a power of two from 512 to 4096"},
		{erofs.FileSystem{BlockSize: 3000}, geometry(0), "erofs: block size 3000: bad option: want a power of two from 512 to 4096"},
		{erofs.FileSystem{BlockSize: 8192}, geometry(0), "erofs: block size 8192: bad option: want a power of two from 512 to 4096"},
		{erofs.FileSystem{BlockSize: -4096}, geometry(0), "erofs: block size -4096: bad option: want a power of two from 512 to 4096"},
		{erofs.FileSystem{BlockSize: 512}, coarse, "erofs: block size 512: bad option: want no less than the sector size 4096"},
		{erofs.FileSystem{Label: "sixteen letters!"}, geometry(0), `erofs: label "sixteen letters!" of 16 bytes: bad option: want at most 15`},
		{erofs.FileSystem{Label: "a\x00b"}, geometry(0), `erofs: label "a\x00b": bad option: want no NUL`},
		{erofs.FileSystem{}, old, "erofs: creation time 1969-12-31T23:59:59Z: bad option: want 1970 or later"},
	} {
		_, err := tc.fs.Plan(t.Context(), tc.g)
		require.ErrorIs(t, err, erofs.ErrOption)
		require.EqualError(t, err, tc.want)
	}
}

func TestRefusedFiles(t *testing.T) {
	var many []filetree.Xattr
	for i := range 5 {
		many = append(many, filetree.Xattr{Name: fmt.Sprint("user.", i), Value: make([]byte, 60000)})
	}
	xattr := func(name string, size int) filetree.Entry {
		return filetree.Entry{Xattrs: []filetree.Xattr{{Name: name, Value: make([]byte, size)}}}
	}
	for _, tc := range []struct {
		e    filetree.Entry
		want string
	}{
		{xattr("btrfs.compression", 3), "extended attribute btrfs.compression: not possible in erofs: want user, trusted, security or a POSIX ACL"},
		{xattr("system.nfs4_acl", 3), "extended attribute system.nfs4_acl: not possible in erofs: want user, trusted, security or a POSIX ACL"},
		{xattr("user.long", 65536), "extended attribute user.long: not possible in erofs: value of 65536 bytes, want at most 65535"},
		{filetree.Entry{Xattrs: many}, "not possible in erofs: extended attributes of 300052 bytes, want at most 262148"},
		{filetree.Entry{Size: 1 << 44, Data: []filetree.Range{{Length: 1 << 44}}},
			"not possible in erofs: it ends in block 4294967298, want at most 4294967295 of 4096 bytes"},
		{filetree.Entry{Size: 1<<52 + 1, Data: []filetree.Range{}}, "not possible in erofs: size of 4503599627370497 bytes, want at most 4503599627370496"},
	} {
		_, err := (&erofs.FileSystem{Tree: one(t, "dir/file", tc.e)}).Plan(t.Context(), geometry(0))
		require.ErrorIs(t, err, erofs.ErrUnsupported)
		require.EqualError(t, err, "erofs dir/file: "+tc.want)
		var path *filetree.PathError
		require.ErrorAs(t, err, &path)
	}
}

// broken is a file of 400,000 bytes, or of 400, of which a reader gives something
// else.
func broken(size int64, r io.Reader) filetree.Entry {
	return filetree.Entry{Size: size, Data: []filetree.Range{{Length: size}}, Open: func() (filetree.Content, error) {
		return struct {
			io.Reader
			io.Closer
		}{r, io.NopCloser(nil)}, nil
	}}
}

type errorReader struct{ error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.error }

func TestSourcesThatFail(t *testing.T) {
	cause := errors.New("broken")
	for _, size := range []int64{400, 400000} {
		for _, tc := range []struct {
			r    io.Reader
			is   error
			want string
		}{
			{bytes.NewReader(sample.Noise(1, int(size)+1)), filetree.ErrChanged, fmt.Sprintf("erofs: read z: changed while it was read: it is longer than its %d bytes", size)},
			{bytes.NewReader(sample.Noise(1, int(size)-1)), filetree.ErrChanged, fmt.Sprintf("erofs: read z: changed while it was read: it is shorter than its %d bytes", size)},
			{bytes.NewReader(nil), filetree.ErrChanged, fmt.Sprintf("erofs: read z: changed while it was read: it is shorter than its %d bytes", size)},
			{io.MultiReader(bytes.NewReader(sample.Noise(1, int(size)/2)), errorReader{cause}), cause, "erofs: read z: broken"},
		} {
			p := plan(t, &erofs.FileSystem{Tree: one(t, "z", broken(size, tc.r))})
			w := volume.NewWriter(discard{}, p.Info().Size)
			err := p.Write(t.Context(), w)
			require.NoError(t, w.Close())
			require.ErrorIs(t, err, tc.is)
			require.EqualError(t, err, tc.want)
		}
	}
}

// discard takes everything, or nothing but an error.
type discard struct{ err error }

func (d discard) WriteAt(p []byte, _ int64) (int, error) { return len(p), d.err }

func TestWriteStopsWhenTold(t *testing.T) {
	p := plan(t, &erofs.FileSystem{Tree: smaller(t)})
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	w := volume.NewWriter(discard{}, p.Info().Size)
	defer w.Close()
	require.ErrorIs(t, p.Write(ctx, w), cause)
}

// endless is a content that ends a context when it has been read for a while.
type endless struct {
	cancel func()
	read   int64
}

func (c *endless) Read(p []byte) (int, error) {
	if c.read += int64(len(p)); c.read > 1<<20 {
		c.cancel()
	}
	clear(p)
	return len(p), nil
}

func TestWriteStopsInAFile(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	r := &endless{cancel: func() { cancel(cause) }}
	p := plan(t, &erofs.FileSystem{Tree: one(t, "z", broken(1<<40, r))})
	w := volume.NewWriter(discard{}, p.Info().Size)
	defer w.Close()
	require.ErrorIs(t, p.Write(ctx, w), cause)
	require.Less(t, r.read, int64(64<<20))
}

func TestOutputThatFails(t *testing.T) {
	full := errors.New("no space")
	p := plan(t, &erofs.FileSystem{Tree: one(t, "z", filetree.File(sample.Noise(1, 20<<20), 0o644))})
	w := volume.NewWriter(discard{full}, p.Info().Size)
	defer w.Close()
	err := p.Write(t.Context(), w)
	require.ErrorIs(t, err, full)
	require.EqualError(t, err, "erofs: no space")
}

// Every file is opened once, in the order in which the names are in the tree.
func TestFilesAreReadOnce(t *testing.T) {
	tr := filetree.New()
	var opened []string
	for _, name := range []string{"b/large", "a", "b/small", "c", "b/holes", "0"} {
		size := map[string]int{"0": 1 << 20, "a": 10, "b/large": 300000, "b/small": 700, "c": 70000, "b/holes": 400000}[name]
		e := filetree.File(sample.Noise(1, size), 0o644)
		if name == "b/holes" {
			e = sample.Sparse(int64(size), filetree.Range{Offset: 399999, Length: 1})
		} else if name == "0" {
			e = sample.Sparse(int64(size)) // a hole that may have got data
		}
		open := e.Open
		e.Open = func() (filetree.Content, error) { opened = append(opened, name); return open() }
		_, err := tr.Add(name, e)
		require.NoError(t, err)
	}
	p := plan(t, &erofs.FileSystem{Tree: tr})
	require.Empty(t, opened)
	bytesOf(t, p)
	require.True(t, slices.Equal([]string{"0", "a", "c", "b/holes", "b/large", "b/small"}, opened), opened)
}
