package erofs_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/volume"
)

// Offsets in an image (fs/erofs/erofs_fs.h).
const (
	atMagic        = 1024
	atChecksum     = 1024 + 4
	atCompat       = 1024 + 8
	atBlockBits    = 1024 + 12
	atRoot         = 1024 + 14
	atBlocks       = 1024 + 36
	atIncompat     = 1024 + 80
	atDevices      = 1024 + 86
	atDirBlockBits = 1024 + 90
)

// openBytes opens an image in memory.
func openBytes(t testing.TB, b []byte) *erofs.Reader {
	t.Helper()
	r, err := erofs.Open(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	return r
}

// withoutChecksum returns a copy of an image whose superblock has no checksum.
func withoutChecksum(b []byte) []byte {
	b = bytes.Clone(b)
	b[atCompat] &^= 1
	return b
}

// TestOpenRefuses has plain words for superblocks that cannot be.
func TestOpenRefuses(t *testing.T) {
	good := withoutChecksum(bytesOf(t, plan(t, &erofs.FileSystem{Tree: smaller(t)})))
	for _, tc := range []struct {
		name  string
		at    int
		bytes string
		is    error
		want  string
	}{
		{"magic", atMagic, "hsqs", erofs.ErrNotEROFS, "erofs: no EROFS: the superblock's magic number is 0x73717368: want 0xe0f5e1e2"},
		{"checksum", atCompat, "\x01", volume.ErrDamaged, ""},
		{"small blocks", atBlockBits, "\x08", volume.ErrDamaged, "erofs: volume is damaged: the superblock has blocks of 1<<8 bytes: want 1<<9 to 1<<16"},
		{"large blocks", atBlockBits, "\x11", volume.ErrDamaged, "erofs: volume is damaged: the superblock has blocks of 1<<17 bytes: want 1<<9 to 1<<16"},
		{"no blocks", atBlocks, "\x00\x00\x00\x00", volume.ErrDamaged, ""},
		{"too many blocks", atBlocks, "\xff\xff\xff\xff", volume.ErrDamaged, ""},
		{"48 bits", atIncompat, "\x80", volume.ErrFeature, "erofs: volume has a feature that is not read: numbers of blocks of 48 bits"},
		{"metabox", atIncompat + 1, "\x01", volume.ErrFeature, "erofs: volume has a feature that is not read: metadata in a file"},
		{"unknown", atIncompat + 3, "\x42", volume.ErrFeature, "erofs: volume has a feature that is not read: incompatible features 0x42000000"},
		{"devices", atIncompat, "\x08\x00\x00\x00\x00\x00\x02", volume.ErrFeature, "erofs: volume has a feature that is not read: it has contents on 2 further devices"},
		{"directories", atDirBlockBits, "\x02", volume.ErrFeature, "erofs: volume has a feature that is not read: directories have blocks of 1<<2 others"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := bytes.Clone(good)
			copy(b[tc.at:], tc.bytes)
			_, err := erofs.Open(bytes.NewReader(b), int64(len(b)))
			require.ErrorIs(t, err, tc.is)
			if tc.want != "" {
				require.EqualError(t, err, tc.want)
			} else {
				require.ErrorContains(t, err, "erofs: volume is damaged: the superblock has ")
			}
		})
	}
	_, err := erofs.Open(strings.NewReader(""), 0)
	require.ErrorIs(t, err, erofs.ErrNotEROFS)
}

// The checksum is compared, and is that of the rest of the superblock's block.
func TestOpenComparesChecksum(t *testing.T) {
	for blockSize, end := range map[int]int{512: 1536, 1024: 2048, 2048: 2048, 4096: 4096} {
		good := bytesOf(t, plan(t, &erofs.FileSystem{BlockSize: blockSize}))
		for _, at := range []int{atRoot, 1100, end - 1} {
			b := bytes.Clone(good)
			b[at] ^= 0x10
			_, err := erofs.Open(bytes.NewReader(b), int64(len(b)))
			require.ErrorIs(t, err, volume.ErrDamaged)
			require.ErrorContains(t, err, "the superblock has the checksum 0x")
			clear(b[atChecksum:][:4])
			sum := ^crc32.Checksum(b[1024:end], crc32.MakeTable(crc32.Castagnoli))
			binary.LittleEndian.PutUint32(b[atChecksum:], sum)
			openBytes(t, b)
		}
	}
}

func TestReaderIsFS(t *testing.T) {
	tr := filetree.New()
	for path, e := range map[string]filetree.Entry{
		"etc/hostname":  filetree.File([]byte("drivebay\n"), 0o644),
		"etc/dir/large": filetree.File(sample.Noise(1, 10000), 0o600),
		"empty":         filetree.File(nil, 0o644),
		"empty-dir":     filetree.Dir(0o755),
		"link":          filetree.Symlink("etc/hostname"),
		"holes":         sample.Sparse(1<<20, filetree.Range{Offset: 500000, Length: 10}),
	} {
		_, err := tr.Add(path, e)
		require.NoError(t, err)
	}
	r := openBytes(t, bytesOf(t, plan(t, &erofs.FileSystem{Tree: tr})))
	require.NoError(t, fstest.TestFS(r, "etc/hostname", "etc/dir/large", "empty", "empty-dir", "holes"))
}

// Reads that begin anywhere, across blocks, holes and the tail behind the inode.
func TestReaderReadsAnywhere(t *testing.T) {
	data := filetree.Range{Offset: 70000, Length: 33333}
	for name, tc := range map[string]struct {
		e    filetree.Entry
		want []byte
	}{
		"flat":   {filetree.File(sample.Noise(1, 123456), 0o644), sample.Noise(1, 123456)},
		"chunks": {sample.Sparse(300001, data), append(append(make([]byte, data.Offset), sample.SparseBytes(data)...), make([]byte, 300001-data.End())...)},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := openBytes(t, bytesOf(t, plan(t, &erofs.FileSystem{Tree: one(t, "file", tc.e)}))).Open("file")
			require.NoError(t, err)
			defer f.Close()
			got := make([]byte, 50000)
			for at := 0; at < len(tc.want); at += 7919 {
				n, err := f.(io.ReaderAt).ReadAt(got, int64(at))
				want := tc.want[at:min(len(tc.want), at+len(got))]
				require.True(t, bytes.Equal(want, got[:n]), at)
				if len(want) < len(got) {
					require.Equal(t, io.EOF, err)
				} else {
					require.NoError(t, err)
				}
			}
		})
	}
}
