package ext4_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

func one(t testing.TB, path string, e filetree.Entry) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	_, err := tr.Add(path, e)
	require.NoError(t, err)
	return tr
}

func TestRefusedFiles(t *testing.T) {
	acl := func(value string) []filetree.Xattr {
		return []filetree.Xattr{{Name: "system.posix_acl_access", Value: []byte(value)}}
	}
	for _, tc := range []struct {
		name string
		e    filetree.Entry
		want string
	}{
		{"early", filetree.Entry{ModTime: time.Unix(-1<<31-1, 0)},
			"modification time 1901-12-13T20:45:51Z: ext4 holds times from 1901-12-13T20:45:52Z to 2446-05-10T22:38:55Z"},
		{"late", filetree.Entry{AccessTime: time.Unix(1<<34-1<<31, 0)}, "access time 2446-05-10T22:38:56Z: ext4 holds times from"},
		{"change", filetree.Entry{ChangeTime: time.Unix(1<<40, 0)}, "change time"},
		{"link", filetree.Symlink(strings.Repeat("x", 1024)), "symbolic link's target of 1024 bytes, want at most 1023 with blocks of 1024"},
		{"size", filetree.Entry{Size: 1 << 42, Data: []filetree.Range{}}, "size of 4398046511104 bytes, want at most 4398046510080 with blocks of 1024"},
		{"xattr", filetree.Entry{Xattrs: []filetree.Xattr{{Name: "user.big", Value: make([]byte, 1000)}}},
			"extended attributes of 1020 bytes beyond the inode's, want at most 988 with blocks of 1024"},
		{"namespace", filetree.Entry{Xattrs: []filetree.Xattr{{Name: "btrfs.compression", Value: []byte("x")}}},
			"extended attribute btrfs.compression: not possible in ext4: want user, trusted, security or a POSIX ACL"},
		{"acl-length", filetree.Entry{Xattrs: acl("\x02\x00\x00\x00x")}, "access control list of 5 bytes, want 4 and 8 for each entry"},
		{"acl-version", filetree.Entry{Xattrs: acl("\x03\x00\x00\x00")}, "access control list of version 3, want 2"},
		{"acl-tag", filetree.Entry{Xattrs: acl("\x02\x00\x00\x00\x03\x00\x07\x00\x00\x00\x00\x00")}, "access control list with an entry of tag 0x3"},
		{"acl-perm", filetree.Entry{Xattrs: acl("\x02\x00\x00\x00\x01\x00\x08\x00\x00\x00\x00\x00")}, "access control list with permissions 010, want at most 07"},
		{"lost+found", filetree.Entry{}, "it is not a directory"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := (&ext4.FileSystem{Tree: one(t, tc.name, tc.e), BlockSize: 1024}).Plan(t.Context(), geometry(0))
			require.ErrorIs(t, err, ext4.ErrUnsupported)
			var pe *filetree.PathError
			require.ErrorAs(t, err, &pe)
			require.Equal(t, tc.name, pe.Path)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestTooManyHardLinks(t *testing.T) {
	tr := one(t, "file", filetree.Entry{})
	for i := range 65000 {
		if _, err := tr.Link(fmt.Sprintf("links/%d", i), "file"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := (&ext4.FileSystem{Tree: tr}).Plan(t.Context(), geometry(0))
	require.ErrorContains(t, err, "65001 hard links, want at most 65000")
}

func TestRefusedParameters(t *testing.T) {
	for _, tc := range []struct {
		fs   ext4.FileSystem
		g    volume.Geometry
		want string
	}{
		{ext4.FileSystem{BlockSize: 8192}, geometry(0), "ext4: block size 8192: want 1024, 2048 or 4096"},
		{ext4.FileSystem{BlockSize: 2048}, volume.Geometry{SectorSize: 4096}, "ext4: block size 2048: want no less than the sector size 4096"},
		{ext4.FileSystem{Label: "seventeen letters"}, geometry(0), `ext4: label "seventeen letters" of 17 bytes: want at most 16`},
		{ext4.FileSystem{ReservedPercent: 51}, geometry(0), "ext4: 51 percent reserved: want 0 to 50, or None"},
		{ext4.FileSystem{ReservedPercent: -2}, geometry(0), "ext4: -2 percent reserved"},
		{ext4.FileSystem{Inodes: 1 << 32}, geometry(0), "ext4: 4294967296 inodes: want 0 to 4294967295"},
		{ext4.FileSystem{JournalSize: 4096}, geometry(0), "ext4: journal of 4096 bytes: want a multiple of 4096 from 4194304 to 41943040000, or None"},
		{ext4.FileSystem{JournalSize: 4<<20 + 1}, geometry(0), "ext4: journal of 4194305 bytes"},
		{ext4.FileSystem{}, geometry(1 << 44), "ext4: size of 17592186044416 bytes: want at most 17592186040320 with blocks of 4096"},
		{ext4.FileSystem{BlockSize: 1024}, geometry(1 << 40), "ext4: size of 1099511627776 bytes: descriptors of its groups fill more than three quarters of a group"},
		{ext4.FileSystem{}, volume.Geometry{Time: time.Unix(-1, 0)}, "ext4: creation time 1969-12-31T23:59:59Z: want 1970 or later"},
		{ext4.FileSystem{}, volume.Geometry{Time: time.Unix(1<<35, 0)}, "ext4: creation time 3058-10-26T"},
	} {
		_, err := tc.fs.Plan(t.Context(), tc.g)
		require.ErrorContains(t, err, tc.want)
	}
}

func TestSizeErrors(t *testing.T) {
	tr := one(t, "file", filetree.File(make([]byte, 1<<20), 0o644))
	smallest, err := (&ext4.FileSystem{Tree: tr}).Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	need := smallest.Info().Size

	_, err = (&ext4.FileSystem{Tree: tr}).Plan(t.Context(), geometry(1<<20))
	require.Equal(t, &volume.SizeError{Format: "ext4", Size: 1 << 20, Need: need, Resource: "bytes"}, err)
	_, err = (&ext4.FileSystem{Tree: tr}).Plan(t.Context(), geometry(need-512))
	require.Equal(t, &volume.SizeError{Format: "ext4", Size: need - 512, Need: need, Resource: "bytes"}, err)
	p, err := (&ext4.FileSystem{Tree: tr}).Plan(t.Context(), geometry(need))
	require.NoError(t, err)
	require.Equal(t, smallest.Info(), p.Info())

	for _, size := range []int64{0, 1 << 20} {
		_, err = (&ext4.FileSystem{Tree: manyFiles(t, 100), Inodes: 100}).Plan(t.Context(), geometry(size))
		require.Equal(t, &volume.SizeError{Format: "ext4", Size: 100, Need: 112, Resource: "inodes"}, err)
	}
	_, err = (&ext4.FileSystem{Tree: manyFiles(t, 10000), BlockSize: 1024}).Plan(t.Context(), geometry(8<<20))
	require.Equal(t, &volume.SizeError{Format: "ext4", Size: 8192, Need: 10012, Resource: "inodes"}, err)
}

// The smallest volume holds the tree, and one of a block less does not.
func TestSmallest(t *testing.T) {
	for _, blockSize := range []int{1024, 4096} {
		for _, size := range []int64{0, 1 << 20, 7 << 20, 8<<20 - 100000, 130 << 20, 1 << 30} {
			tr := one(t, "file", filetree.Entry{Size: size, Data: []filetree.Range{{Length: max(size, 1)}}[:min(size, 1)]})
			fs := &ext4.FileSystem{Tree: tr, BlockSize: blockSize}
			p, err := fs.Plan(t.Context(), geometry(0))
			require.NoError(t, err)
			again, err := fs.Plan(t.Context(), geometry(p.Info().Size))
			require.NoError(t, err)
			require.Equal(t, p.Info(), again.Info())
			_, err = fs.Plan(t.Context(), geometry(p.Info().Size-int64(blockSize)))
			require.Equal(t, &volume.SizeError{Format: "ext4", Size: p.Info().Size - int64(blockSize), Need: p.Info().Size, Resource: "bytes"}, err)
		}
	}
}

// discard takes everything, or nothing but an error.
type discard struct{ err error }

func (d discard) WriteAt(p []byte, _ int64) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	return len(p), nil
}

func writeErr(t *testing.T, ctx context.Context, tr *filetree.Tree, sink volume.Sink) error {
	t.Helper()
	p, err := (&ext4.FileSystem{Tree: tr}).Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	w := volume.NewWriter(sink, p.Info().Size)
	defer w.Close()
	return errors.Join(p.Write(ctx, w), w.Flush())
}

func TestWriteErrors(t *testing.T) {
	broken := errors.New("broken")
	content := func(r io.Reader, err error) filetree.Opener {
		return func() (filetree.Content, error) { return io.NopCloser(r), err }
	}
	for _, tc := range []struct {
		name  string
		open  filetree.Opener
		is    error
		names bool
	}{
		{"open", content(nil, broken), broken, true},
		{"read", content(io.MultiReader(strings.NewReader("x"), failing{broken}), nil), broken, true},
		{"short", content(strings.NewReader("short"), nil), filetree.ErrChanged, true},
		{"long", content(strings.NewReader(strings.Repeat("long", 100000)), nil), filetree.ErrChanged, true},
	} {
		err := writeErr(t, t.Context(), one(t, "dir/"+tc.name, filetree.Entry{Size: 100000, Open: tc.open}), discard{})
		require.ErrorIs(t, err, tc.is)
		require.ErrorContains(t, err, "dir/"+tc.name)
	}

	big := one(t, "big", filetree.Entry{Size: 64 << 20, Data: []filetree.Range{{Length: 64 << 20}}, Open: content(zeros{}, nil)})
	err := writeErr(t, t.Context(), big, discard{broken})
	require.ErrorIs(t, err, broken)
	require.NotContains(t, err.Error(), "big", "the output's errors are no file's")

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	require.ErrorIs(t, writeErr(t, ctx, big, discard{}), broken)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestSourceChanges(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(name, []byte("before"), 0o644))
	tr, err := filetree.FromDir(dir)
	require.NoError(t, err)
	t.Cleanup(func() { tr.Close() })
	require.NoError(t, os.WriteFile(name, []byte("afterwards"), 0o644))
	err = writeErr(t, t.Context(), tr, discard{})
	require.ErrorIs(t, err, filetree.ErrChanged)
	require.ErrorContains(t, err, "ext4: open "+name+": changed")
}
