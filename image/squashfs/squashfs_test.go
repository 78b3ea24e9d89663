package squashfs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/volume"
)

// bytesOf returns an image of a tree.
func bytesOf(t testing.TB, fs *squashfs.FileSystem) []byte {
	t.Helper()
	b, err := os.ReadFile(write(t, fs, 0))
	require.NoError(t, err)
	return b
}

func TestSameBytesOnAnyNumberOfCPUs(t *testing.T) {
	for name, variant := range variants {
		t.Run(name, func(t *testing.T) {
			var first []byte
			for _, cpus := range []int{1, 7} {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cpus))
				fs := variant()
				fs.Tree = everything(t)
				b := bytesOf(t, fs)
				if first == nil {
					first = b
				}
				require.True(t, bytes.Equal(first, b), "%d CPUs", cpus)
			}
		})
	}
}

func TestOrderOfAdditionDoesNotMatter(t *testing.T) {
	forward, backward := filetree.New(), filetree.New()
	const n = 3000
	for i := range n {
		for tr, k := range map[*filetree.Tree]int{forward: i, backward: n - 1 - i} {
			e := filetree.File(fmt.Appendf(nil, "%d", k%100), 0o644)
			e.ModTime, e.UID = imagetest.Created, uint32(k%5)
			_, err := tr.Add(fmt.Sprintf("d%d/%d", k%7, k), e)
			require.NoError(t, err)
		}
	}
	for _, tr := range []*filetree.Tree{forward, backward} {
		for i := range 7 { // implied directories have the time of whoever came first
			e := filetree.Dir(0o755)
			e.ModTime = imagetest.Created
			_, err := tr.Add(fmt.Sprintf("d%d", i), e)
			require.NoError(t, err)
		}
	}
	require.True(t, bytes.Equal(bytesOf(t, &squashfs.FileSystem{Tree: forward}), bytesOf(t, &squashfs.FileSystem{Tree: backward})))
}

// counted is a file that counts how often it is opened.
func counted(n *int, content []byte) filetree.Entry {
	e := filetree.File(content, 0o644)
	open := e.Open
	e.Open = func() (filetree.Content, error) { *n++; return open() }
	return e
}

func TestPlanAgainCompressesNothing(t *testing.T) {
	opened := 0
	tr := filetree.New()
	_, err := tr.Add("file", counted(&opened, sample.Noise(1, 300000)))
	require.NoError(t, err)
	fs := &squashfs.FileSystem{Tree: tr}
	defer fs.Close()
	small, err := fs.Plan(t.Context(), imagetest.Geometry(0))
	require.NoError(t, err)
	require.Equal(t, volume.Info{Format: "squashfs", Size: 303104, Used: small.Info().Used, Files: 2}, small.Info())
	large, err := fs.Plan(t.Context(), imagetest.Geometry(1<<20))
	require.NoError(t, err)
	require.Equal(t, volume.Info{Format: "squashfs", Size: 1 << 20, Used: small.Info().Used, Files: 2}, large.Info())

	later := imagetest.Geometry(0)
	later.Time = imagetest.Created.Add(time.Hour)
	other, err := fs.Plan(t.Context(), later)
	require.NoError(t, err)
	dir := t.TempDir()
	read := func(p volume.Plan, name string) []byte {
		imagetest.WritePlan(t, p, filepath.Join(dir, name))
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return b
	}
	b := read(small, "1")
	require.True(t, bytes.Equal(b, read(small, "2")))
	require.True(t, bytes.Equal(b, read(large, "3")[:len(b)]))
	o := read(other, "4")
	require.False(t, bytes.Equal(b, o))
	copy(o[8:12], b[8:12]) // the time of creation
	require.True(t, bytes.Equal(b, o))
	require.Equal(t, 1, opened)

	fs.Level = 9 // another image
	_, err = fs.Plan(t.Context(), imagetest.Geometry(0))
	require.NoError(t, err)
	require.Equal(t, 2, opened)
}

func TestTooSmall(t *testing.T) {
	fs := &squashfs.FileSystem{Tree: small(t)}
	defer fs.Close()
	p, err := fs.Plan(t.Context(), imagetest.Geometry(0))
	require.NoError(t, err)
	_, err = fs.Plan(t.Context(), imagetest.Geometry(p.Info().Size-512))
	var size *volume.SizeError
	require.ErrorAs(t, err, &size)
	require.Equal(t, &volume.SizeError{Format: "squashfs", Size: p.Info().Size - 512, Need: p.Info().Size, Resource: "bytes"}, size)
}

func TestOptions(t *testing.T) {
	old := imagetest.Geometry(0)
	old.Time = time.Unix(-1, 0)
	for _, tc := range []struct {
		fs   *squashfs.FileSystem
		g    volume.Geometry
		want string
	}{
		{&squashfs.FileSystem{BlockSize: 2048}, imagetest.Geometry(0), "squashfs: block size 2048: bad option: want a power of two from 4096 to 1048576"},
		{&squashfs.FileSystem{BlockSize: 5000}, imagetest.Geometry(0), "squashfs: block size 5000: bad option: want a power of two from 4096 to 1048576"},
		{&squashfs.FileSystem{BlockSize: 2 << 20}, imagetest.Geometry(0), "squashfs: block size 2097152: bad option: want a power of two from 4096 to 1048576"},
		{&squashfs.FileSystem{Level: 23}, imagetest.Geometry(0), "squashfs: level 23: bad option: want 1 to 22 with zstd"},
		{&squashfs.FileSystem{Level: -1}, imagetest.Geometry(0), "squashfs: level -1: bad option: want 1 to 22 with zstd"},
		{&squashfs.FileSystem{Level: 10, Compression: squashfs.Gzip}, imagetest.Geometry(0), "squashfs: level 10: bad option: want 1 to 9 with gzip"},
		{&squashfs.FileSystem{Level: 10, Compression: squashfs.LZ4}, imagetest.Geometry(0), "squashfs: level 10: bad option: want 1 to 9 with lz4"},
		{&squashfs.FileSystem{Level: 1, Compression: squashfs.None}, imagetest.Geometry(0), "squashfs: level 1: bad option: none has none"},
		{&squashfs.FileSystem{Compression: 9}, imagetest.Geometry(0), "squashfs: compression 9: bad option: want Zstd, Gzip, XZ, LZ4 or None"},
		{&squashfs.FileSystem{Tails: 9}, imagetest.Geometry(0), "squashfs: tails 9: bad option: want TailsSmall, TailsAlways or TailsNever"},
		{&squashfs.FileSystem{}, old, "squashfs: creation time 1969-12-31T23:59:59Z: bad option: want 1970 to 2106"},
	} {
		_, err := tc.fs.Plan(t.Context(), tc.g)
		require.ErrorIs(t, err, squashfs.ErrOption)
		require.EqualError(t, err, tc.want)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []squashfs.Compression{squashfs.Zstd, squashfs.Gzip, squashfs.XZ, squashfs.None, squashfs.LZ4} {
		got, err := squashfs.ParseCompression(c.String())
		require.NoError(t, err)
		require.Equal(t, c, got)
	}
	for _, tails := range []squashfs.Tails{squashfs.TailsSmall, squashfs.TailsAlways, squashfs.TailsNever} {
		got, err := squashfs.ParseTails(tails.String())
		require.NoError(t, err)
		require.Equal(t, tails, got)
	}
	_, err := squashfs.ParseCompression("lzo")
	require.EqualError(t, err, `squashfs: compression "lzo": bad option: want zstd, gzip, xz, lz4 or none`)
	_, err = squashfs.ParseTails("few")
	require.EqualError(t, err, `squashfs: tails "few": bad option: want small, always or never`)
	require.Equal(t, "Compression(9) Tails(9)", fmt.Sprint(squashfs.Compression(9), squashfs.Tails(9)))
}

func TestRefusals(t *testing.T) {
	entry := func(change func(e *filetree.Entry)) filetree.Entry {
		e := filetree.File(nil, 0o644)
		e.ModTime = imagetest.Created
		change(&e)
		return e
	}
	for _, tc := range []struct {
		entry         filetree.Entry
		want, dropped string
	}{
		{
			entry(func(e *filetree.Entry) { e.ModTime = time.Unix(-1, 0) }),
			"squashfs file: not possible in squashfs: modification time 1969-12-31T23:59:59Z, want 1970 to 2106",
			"file: modification time 1969-12-31T23:59:59Z, made 1970-01-01T00:00:00Z",
		},
		{
			entry(func(e *filetree.Entry) { e.ModTime = time.Unix(1<<32, 0) }),
			"squashfs file: not possible in squashfs: modification time 2106-02-07T06:28:16Z, want 1970 to 2106",
			"file: modification time 2106-02-07T06:28:16Z, made 2106-02-07T06:28:15Z",
		},
		{
			entry(func(e *filetree.Entry) {
				e.Xattrs = []filetree.Xattr{{Name: "system.posix_acl_access", Value: []byte{2}}}
			}),
			"squashfs file: extended attribute system.posix_acl_access: not possible in squashfs: want one of user, trusted or security",
			"file: extended attribute system.posix_acl_access",
		},
		{
			entry(func(e *filetree.Entry) { e.Size = 1 << 43; e.Data = []filetree.Range{} }),
			"squashfs file: not possible in squashfs: size of 8796093022208 bytes, want less than 8796093022208 with blocks of 131072",
			"",
		},
	} {
		tr := filetree.New()
		_, err := tr.Add("file", tc.entry)
		require.NoError(t, err)
		_, err = (&squashfs.FileSystem{Tree: tr}).Plan(t.Context(), imagetest.Geometry(0))
		require.ErrorIs(t, err, squashfs.ErrUnsupported)
		require.EqualError(t, err, tc.want)
		var path *filetree.PathError
		require.ErrorAs(t, err, &path)
		if tc.dropped != "" {
			drop := &squashfs.FileSystem{Tree: tr, Drop: true}
			p, err := drop.Plan(t.Context(), imagetest.Geometry(0))
			require.NoError(t, err)
			require.Equal(t, []string{tc.dropped}, p.Info().Dropped)
			require.NoError(t, drop.Close())
		}
	}
}

func TestTooManyOwners(t *testing.T) {
	tr := filetree.New()
	for i := range 32768 {
		e := filetree.File(nil, 0o644)
		e.UID, e.GID = uint32(2*i), uint32(2*i+1)
		_, err := tr.Add(fmt.Sprintf("%05d", i), e)
		require.NoError(t, err)
	}
	_, err := (&squashfs.FileSystem{Tree: tr}).Plan(t.Context(), imagetest.Geometry(0))
	require.ErrorIs(t, err, squashfs.ErrUnsupported)
	require.EqualError(t, err, "squashfs 32767: not possible in squashfs: owner 65535 is the 65536th user or group, want at most 65535")
}

// changing is a file that is n bytes longer than its tree says.
func changing(n int) filetree.Entry {
	e := filetree.File(sample.Noise(1, 400000+n), 0o644)
	e.Size = 400000
	return e
}

func TestSourcesThatFail(t *testing.T) {
	broken := errors.New("broken")
	failing := filetree.File(nil, 0o644)
	failing.Size = 300000
	failing.Open = func() (filetree.Content, error) {
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(sample.Noise(1, 200000)), errorReader{broken}), io.NopCloser(nil)}, nil
	}
	for _, tc := range []struct {
		entry filetree.Entry
		is    error
		want  string
	}{
		{changing(1), filetree.ErrChanged, "read z: changed while it was read: it is longer than its 400000 bytes"},
		{changing(-1), filetree.ErrChanged, "read z: changed while it was read: it is shorter than its 400000 bytes"},
		{failing, broken, "read z: broken"},
	} {
		tr := small(t)
		_, err := tr.Add("z", tc.entry)
		require.NoError(t, err)
		fs := &squashfs.FileSystem{Tree: tr, TempDir: t.TempDir()}
		for range 2 { // what has failed is not kept
			_, err = fs.Plan(t.Context(), imagetest.Geometry(0))
			require.ErrorIs(t, err, tc.is)
			require.EqualError(t, err, tc.want)
		}
		requireEmpty(t, fs.TempDir)
		require.NoError(t, fs.Close())
	}
}

// A file that another program writes to while those before it are compressed.
func TestFilesThatChange(t *testing.T) {
	for name, change := range map[string]func(f *os.File) error{
		"grows":   func(f *os.File) error { _, err := f.WriteAt([]byte("more"), 400000); return err },
		"shrinks": func(f *os.File) error { return f.Truncate(399999) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f, err := os.Create(filepath.Join(dir, "z"))
			require.NoError(t, err)
			defer f.Close()
			_, err = f.Write(sample.Noise(1, 400000))
			require.NoError(t, err)
			tr, err := filetree.FromDir(dir)
			require.NoError(t, err)
			defer tr.Close()
			before := filetree.File(sample.Noise(2, 300000), 0o644)
			open := before.Open
			before.Open = func() (filetree.Content, error) {
				if err := change(f); err != nil {
					return nil, err
				}
				return open()
			}
			_, err = tr.Add("a", before)
			require.NoError(t, err)
			fs := &squashfs.FileSystem{Tree: tr, TempDir: t.TempDir()}
			_, err = fs.Plan(t.Context(), imagetest.Geometry(0))
			require.ErrorIs(t, err, filetree.ErrChanged)
			require.ErrorContains(t, err, filepath.Join(dir, "z")+": changed while it was read")
			requireEmpty(t, fs.TempDir)
			require.NoError(t, fs.Close())
		})
	}
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, list)
}

type errorReader struct{ error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.error }

func TestNoTemporaryFile(t *testing.T) {
	_, err := (&squashfs.FileSystem{TempDir: filepath.Join(t.TempDir(), "none")}).Plan(t.Context(), imagetest.Geometry(0))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "squashfs: temporary file: open ")
}

func TestClose(t *testing.T) {
	dir := t.TempDir()
	fs := &squashfs.FileSystem{Tree: small(t), TempDir: dir}
	p, err := fs.Plan(t.Context(), imagetest.Geometry(0))
	require.NoError(t, err)
	require.NoError(t, fs.Close())
	require.NoError(t, fs.Close())
	_, err = fs.Plan(t.Context(), imagetest.Geometry(0))
	require.ErrorIs(t, err, squashfs.ErrClosed)
	w := volume.NewWriter(discard{}, p.Info().Size)
	defer w.Close()
	require.ErrorIs(t, p.Write(t.Context(), w), squashfs.ErrClosed)
	requireEmpty(t, dir)
}

type discard struct{}

func (discard) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

func TestWriteStopsWhenTold(t *testing.T) {
	fs := &squashfs.FileSystem{Tree: small(t)}
	defer fs.Close()
	p, err := fs.Plan(t.Context(), imagetest.Geometry(0))
	require.NoError(t, err)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	w := volume.NewWriter(discard{}, p.Info().Size)
	defer w.Close()
	require.ErrorIs(t, p.Write(ctx, w), cause)
}

func TestDoublesAreWrittenOnce(t *testing.T) {
	size := func(files int) int64 {
		tr := filetree.New()
		for i := range files {
			for k, n := range []int{5000, 1 << 17, 700000} {
				_, err := tr.Add(fmt.Sprintf("%d-%d", k, i), filetree.File(sample.Noise(uint64(k), n), 0o644))
				require.NoError(t, err)
			}
			// The same bytes behind another beginning, and before another end.
			b := sample.Noise(9, 3<<17)
			b[i/2] = 1
			_, err := tr.Add(fmt.Sprintf("other-%d", i/2*2+i%2), filetree.File(b, 0o644))
			require.NoError(t, err)
		}
		fs := &squashfs.FileSystem{Tree: tr}
		defer fs.Close()
		p, err := fs.Plan(t.Context(), imagetest.Geometry(0))
		require.NoError(t, err)
		return p.Info().Used
	}
	one := size(1)
	require.Less(t, size(2)-one, int64(300))
	require.InDelta(t, one+3<<17, size(3), 400)
}

// FuzzRandomTree has unsquashfs judge trees and parameters of all kinds, and the
// reader find the same.
func FuzzRandomTree(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		tr := randomTree(t, r)
		fs := &squashfs.FileSystem{
			Tree:        tr,
			Compression: []squashfs.Compression{squashfs.Zstd, squashfs.Gzip, squashfs.None, squashfs.LZ4}[r.IntN(4)],
			BlockSize:   4096 << r.IntN(9),
			Tails:       squashfs.Tails(r.IntN(3)),
		}
		image := write(t, fs, 0)
		requireSame(t, tr, unsquash(t, image))
		requireReads(t, tr, open(t, image), filetree.DiffOptions{})
	})
}

func randomTree(t *testing.T, r *rand.Rand) *filetree.Tree {
	tr := filetree.New()
	dirs, files := []string{""}, []string{}
	for i := range 1 + r.IntN(1500) {
		dir := dirs[r.IntN(len(dirs))]
		if r.IntN(2) == 0 {
			dir = dirs[0] // one that is large
		}
		name := dir + fmt.Sprint(i) + strings.Repeat("n", r.IntN(1+r.IntN(150)))
		e := filetree.Entry{Mode: 0o644}
		switch kind := r.IntN(20); {
		case kind == 0 && len(files) > 0:
			_, err := tr.Link(name, files[r.IntN(len(files))])
			require.NoError(t, err)
			continue
		case kind <= 2:
			e.Mode = filetree.Dir(0o755).Mode
			if len(name) < 2000 {
				dirs = append(dirs, name+"/")
			}
		case kind <= 4:
			e = filetree.Symlink(strings.Repeat("t", 1+r.IntN(1000)))
		default:
			size := r.Int64N(1 << r.IntN(18)) // of all orders of magnitude
			e = filetree.File(sample.Noise(uint64(r.IntN(50)), int(size)), 0o644)
			if kind == 5 {
				at := r.Int64N(size + 1)
				e = sample.Sparse(1<<20+size, filetree.Range{Offset: at, Length: size - at + 1})
			}
			files = append(files, name)
		}
		e.ModTime = time.Unix(r.Int64N(1<<32), r.Int64N(1e9))
		e.UID, e.GID = uint32(r.IntN(3)), uint32(r.IntN(300))
		if r.IntN(10) == 0 && e.Mode.IsRegular() {
			e.Xattrs = []filetree.Xattr{{Name: "user.x", Value: sample.Noise(uint64(r.IntN(20)), r.IntN(300))}}
		}
		_, err := tr.Add(name, e)
		require.NoError(t, err)
	}
	return tr
}
