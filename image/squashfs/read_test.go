package squashfs_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/volume"
)

// Offsets in a superblock (fs/squashfs/squashfs_fs.h).
const (
	atBlockSize      = 12
	atCompression    = 20
	atIDs            = 26
	atMajor          = 28
	atBytesUsed      = 40
	atDirectoryTable = 72
)

// TestOpenRefuses has plain words for superblocks that cannot be.
func TestOpenRefuses(t *testing.T) {
	good := bytesOf(t, &squashfs.FileSystem{Tree: small(t)})
	used := binary.LittleEndian.Uint64(good[atBytesUsed:])
	le := binary.LittleEndian
	for _, tc := range []struct {
		name   string
		change func(b []byte) []byte
		is     error
		want   string
	}{
		{
			"empty", func([]byte) []byte { return nil }, squashfs.ErrNotSquashfs,
			"squashfs: no squashfs: the superblock's magic number is 0x00000000: want 0x73717368",
		},
		{
			"other byte order", func(b []byte) []byte { copy(b, "sqsh"); return b }, volume.ErrFeature,
			"squashfs: volume has a feature that is not read: it is of the other byte order, as before version 4.0",
		},
		{
			"version", func(b []byte) []byte { b[atMajor] = 3; return b }, volume.ErrFeature,
			"squashfs: volume has a feature that is not read: version 3.0: want 4.0",
		},
		{
			"block size", func(b []byte) []byte { le.PutUint32(b[atBlockSize:], 5000); return b }, volume.ErrDamaged,
			"squashfs: volume is damaged: the superblock has blocks of 5000 bytes, 1<<17: want a power of two from 4096 to 1048576",
		},
		{
			"compression", func(b []byte) []byte { b[atCompression] = 7; return b }, volume.ErrDamaged,
			"squashfs: volume is damaged: the superblock has compression 7: want 1 to 6",
		},
		{
			"owners", func(b []byte) []byte { le.PutUint16(b[atIDs:], 0); return b }, volume.ErrDamaged,
			"squashfs: volume is damaged: the superblock has no owners: want at least one",
		},
		{
			"truncated", func(b []byte) []byte { le.PutUint64(b[atBytesUsed:], 1000); return b[:999] }, volume.ErrDamaged,
			"squashfs: volume is damaged: the superblock has 1000 bytes in use: want 96 to the volume's 999",
		},
		{
			"tables", func(b []byte) []byte { le.PutUint64(b[atDirectoryTable:], used+1); return b }, volume.ErrDamaged, "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := tc.change(bytes.Clone(good))
			_, err := squashfs.Open(bytes.NewReader(b), int64(len(b)))
			require.ErrorIs(t, err, tc.is)
			if tc.want != "" {
				require.EqualError(t, err, tc.want)
			} else {
				require.ErrorContains(t, err, "the table of directories is at ")
			}
		})
	}
}

// A block that cannot be decompressed is named by its place.
func TestReaderNamesDamage(t *testing.T) {
	for _, variant := range []string{"zstd", "gzip"} {
		tr := filetree.New()
		_, err := tr.Add("file", filetree.File(sample.Pattern(1<<17), 0o644))
		require.NoError(t, err)
		fsys := variants[variant]()
		fsys.Tree = tr
		b := bytesOf(t, fsys)
		clear(b[100:180]) // the beginning of the one block
		r, err := squashfs.Open(bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err)
		_, err = r.ReadFile("file")
		require.ErrorIs(t, err, volume.ErrDamaged)
		require.ErrorContains(t, err, "read file: decompress a block of data at ")
	}
}

// Several goroutines read the same volume, each in its own order.
func TestReaderByManyGoroutines(t *testing.T) {
	for _, compression := range []squashfs.Compression{squashfs.Zstd, squashfs.Gzip, squashfs.LZ4} {
		tr := small(t)
		b := bytesOf(t, &squashfs.FileSystem{Tree: tr, Compression: compression, BlockSize: 64 << 10})
		r, err := squashfs.Open(bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err)
		var wg sync.WaitGroup
		errs := make(chan error, 4)
		for range cap(errs) {
			wg.Go(func() {
				errs <- fs.WalkDir(r, ".", func(path string, d fs.DirEntry, err error) error {
					if err != nil || d.IsDir() {
						return err
					}
					_, err = r.ReadFile(path)
					return err
				})
			})
		}
		wg.Wait()
		for range cap(errs) {
			require.NoError(t, <-errs)
		}
	}
}

// Reads that begin anywhere, across blocks, holes and the end in a fragment.
func TestReaderReadsAnywhere(t *testing.T) {
	tr := filetree.New()
	content := append(sample.Pattern(70000), make([]byte, 140000)...)
	content = append(content, sample.Noise(1, 33333)...)
	_, err := tr.Add("file", filetree.File(content, 0o644))
	require.NoError(t, err)
	b := bytesOf(t, &squashfs.FileSystem{Tree: tr, BlockSize: 16 << 10, Tails: squashfs.TailsAlways})
	r, err := squashfs.Open(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	f, err := r.Open("file")
	require.NoError(t, err)
	defer f.Close()
	got := make([]byte, 50000)
	for at := 0; at < len(content); at += 7919 {
		n, err := f.(io.ReaderAt).ReadAt(got, int64(at))
		if want := content[at:]; n < len(got) {
			require.Equal(t, io.EOF, err)
			require.True(t, bytes.Equal(want, got[:n]), "%d", at)
		} else {
			require.NoError(t, err)
			require.True(t, bytes.Equal(want[:n], got), "%d", at)
		}
	}
}
