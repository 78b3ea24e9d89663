package verity_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"runtime"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

// TestHole hashes a tebibyte of zeros: four levels of blocks that are all the same.
func TestHole(t *testing.T) {
	sum := func(block []byte) []byte {
		d := sha256.Sum256(append([]byte("salt"), block...))
		return d[:]
	}
	want := sum(make([]byte, 4096))
	for range 4 {
		want = sum(bytes.Repeat(want, 128))
	}
	require.Equal(t, verity.RootHash(want), hashPieces(t, params, 1<<40, nil).RootHash())
	require.NotEqual(t, verity.RootHash(want), hashPieces(t, params, 1<<40, []piece{{1<<40 - 1, 1}}).RootHash())
}

// TestHoleIsHashedAsZeros compares holes with zeros that are shown.
func TestHoleIsHashedAsZeros(t *testing.T) {
	const size = 64 << 20 // more than what is counted instead of kept
	shown := func(pieces []piece) *bytes.Buffer {
		h, err := verity.NewHasher(params, size, t.TempDir())
		require.NoError(t, err)
		zeros := make([]byte, 1<<20)
		for off := int64(0); off < size; off += int64(len(zeros)) {
			b := bytes.Clone(zeros)
			for _, p := range pieces {
				if p.off >= off && p.off < off+int64(len(b)) {
					copy(b[p.off-off:], noise(p))
				}
			}
			_, err := h.WriteAt(b, off)
			require.NoError(t, err)
		}
		tree, err := h.Tree()
		require.NoError(t, err)
		return written(t, tree)
	}
	pieces := []piece{{1 << 20, 4096}, {40<<20 + 123, 1000}}
	require.True(t, bytes.Equal(shown(pieces).Bytes(), written(t, hashPieces(t, params, size, pieces)).Bytes()))
}

// FuzzHasher shows a hasher the same data in pieces that the input tells, and wants
// the same tree.
func FuzzHasher(f *testing.F) {
	const size = 40 << 10
	p := verity.Params{DataBlockSize: 1024, HashBlockSize: 512}
	data := noise(piece{0, size})
	clear(data[5000:9000])
	clear(data[20<<10 : 30<<10])
	h, err := verity.NewHasher(p, size, "")
	require.NoError(f, err)
	_, err = h.WriteAt(data, 0)
	require.NoError(f, err)
	want, err := h.Tree()
	require.NoError(f, err)
	f.Add([]byte{0, 1, 255, 3, 128, 7, 200})
	f.Add(bytes.Repeat([]byte{250}, 200))
	f.Fuzz(func(t *testing.T, steps []byte) {
		h, err := verity.NewHasher(p, size, "")
		require.NoError(t, err)
		off := 0
		show := func(n int) {
			n = min(n, size-off)
			if b := data[off : off+n]; len(bytes.Trim(b, "\x00")) > 0 { // a hole otherwise
				_, err := h.WriteAt(b, int64(off))
				require.NoError(t, err)
			}
			off += n
		}
		for _, n := range steps {
			show(int(n) * 9)
		}
		show(size)
		tree, err := h.Tree()
		require.NoError(t, err)
		require.Equal(t, want.RootHash(), tree.RootHash())
	})
}

// written returns what a tree writes.
func written(t *testing.T, tree *verity.Tree) *bytes.Buffer {
	t.Helper()
	m := &memory{b: make([]byte, tree.Size())}
	w := volume.NewWriter(m, tree.Size())
	defer w.Close()
	require.NoError(t, tree.Write(t.Context(), w))
	require.NoError(t, w.Flush())
	return bytes.NewBuffer(m.b)
}

type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, off int64) (int, error) { return copy(m.b[off:], p), nil }

// TestTreeGoesToAFile makes one that is larger than what is kept in memory, with
// small blocks, and one CPU.
func TestTreeGoesToAFile(t *testing.T) {
	p := params
	p.DataBlockSize, p.HashBlockSize, p.Algorithm = 512, 512, "sha512"
	const size = 80 << 20 // 10 MiB of digests
	pieces := []piece{{0, 30 << 20}, {50 << 20, 20 << 20}}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	want := written(t, hashPieces(t, p, size, pieces))
	runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(runtime.NumCPU())
	tree := hashPieces(t, p, size, pieces)
	require.True(t, bytes.Equal(want.Bytes(), written(t, tree).Bytes()))
	require.True(t, bytes.Equal(want.Bytes(), written(t, tree).Bytes()), "the second time")
	require.NoError(t, tree.Close())
	require.NoError(t, tree.Close())
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, list)
}

// TestSuperblock holds the bytes against struct verity_sb of cryptsetup 2.6,
// lib/verity/verity.c.
func TestSuperblock(t *testing.T) {
	p := verity.Params{Algorithm: "sha512", DataBlockSize: 1024, HashBlockSize: 2048, Salt: []byte("salty"), UUID: id}
	b := written(t, hashPieces(t, p, 3<<10, everything(3<<10))).Bytes()[:512]
	for _, f := range []struct {
		name   string
		offset int
		want   []byte
	}{
		{"signature", 0, []byte("verity\x00\x00")},
		{"version", 8, []byte{1, 0, 0, 0}},
		{"hash_type", 12, []byte{1, 0, 0, 0}},
		{"uuid", 16, id[:]},
		{"algorithm", 32, append([]byte("sha512"), make([]byte, 26)...)},
		{"data_block_size", 64, binary.LittleEndian.AppendUint32(nil, 1024)},
		{"hash_block_size", 68, binary.LittleEndian.AppendUint32(nil, 2048)},
		{"data_blocks", 72, binary.LittleEndian.AppendUint64(nil, 3)},
		{"salt_size", 80, []byte{5, 0}},
		{"_pad1", 82, make([]byte, 6)},
		{"salt", 88, append([]byte("salty"), make([]byte, 251)...)},
		{"_pad2", 344, make([]byte, 168)},
	} {
		require.Equal(t, hex.EncodeToString(f.want), hex.EncodeToString(b[f.offset:][:len(f.want)]), f.name)
	}
	s, err := verity.ParseSuperblock(b)
	require.NoError(t, err)
	require.Equal(t, verity.Superblock{Params: p, DataBlocks: 3}, s)
}

func TestParseSuperblockErrors(t *testing.T) {
	good := written(t, hashPieces(t, params, 8192, nil)).Bytes()[:512]
	for _, tc := range []struct {
		name   string
		offset int
		b      []byte
		want   string
	}{
		{"magic", 0, []byte("V"), `magic "Verity\x00\x00": no superblock of dm-verity: want "verity\x00\x00"`},
		{"version", 8, []byte{2}, "version 2: no superblock of dm-verity: want 1"},
		{"hash type", 12, []byte{0}, "hash type 0"},
		{"algorithm", 32, []byte("md5\x00"), `algorithm "md5": bad option: want sha256 or sha512`},
		{"data block size", 64, []byte{1, 16}, "data block size of 4097 bytes"},
		{"huge data block size", 64, []byte{0, 0, 0, 0x80}, "data block size 2147483648"},
		{"huge hash block size", 68, []byte{0, 0, 0, 0x80}, "hash block size 2147483648"},
		{"no data", 72, make([]byte, 8), "data blocks 0: no superblock of dm-verity: want 1 to "},
		{"much data", 79, []byte{0x80}, "data blocks 9223372036854775810"},
		{"salt", 80, []byte{1, 1}, "salt size 257"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := bytes.Clone(good)
			copy(b[tc.offset:], tc.b)
			_, err := verity.ParseSuperblock(b)
			require.ErrorIs(t, err, verity.ErrSuperblock)
			require.ErrorContains(t, err, tc.want)
		})
	}
	_, err := verity.ParseSuperblock(good[:511])
	require.ErrorIs(t, err, verity.ErrSuperblock)
}

func FuzzReadTree(f *testing.F) {
	f.Add(make([]byte, 512))
	f.Add(append([]byte("verity\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"), make([]byte, 8192)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _, err := verity.ReadTree(bytes.NewReader(b))
		if err != nil {
			return
		}
		if _, err := s.TreeSize(s.DataBlocks * int64(s.DataBlockSize)); err != nil {
			require.ErrorIs(t, err, verity.ErrOption)
		}
	})
}

func TestReadTree(t *testing.T) {
	tree := hashPieces(t, params, 1<<20, everything(1<<20))
	s, root, err := verity.ReadTree(bytes.NewReader(written(t, tree).Bytes()))
	require.NoError(t, err)
	require.Equal(t, int64(256), s.DataBlocks)
	require.Equal(t, tree.RootHash(), root)

	one := hashPieces(t, params, 4096, everything(4096))
	_, root, err = verity.ReadTree(bytes.NewReader(written(t, one).Bytes()))
	require.NoError(t, err)
	require.Nil(t, root)
}

func TestHasherErrors(t *testing.T) {
	for _, tc := range []struct {
		name   string
		params verity.Params
		size   int64
		want   string
	}{
		{"algorithm", verity.Params{Algorithm: "sha1"}, 4096, `algorithm "sha1"`},
		{"data block", verity.Params{DataBlockSize: 256}, 4096, "data block size of 256 bytes: bad option: want a power of two from 512 to 65536"},
		{"hash block", verity.Params{HashBlockSize: 5000}, 4096, "hash block size of 5000 bytes"},
		{"salt", verity.Params{Salt: make([]byte, 257)}, 4096, "salt of 257 bytes: bad option: want at most 256"},
		{"no data", verity.Params{}, 0, "data of 0 bytes: bad option: want whole data blocks of 4096 bytes, one at least"},
		{"part of a block", verity.Params{}, 5000, "data of 5000 bytes"},
		{"too large a tree", verity.Params{DataBlockSize: 512, HashBlockSize: 65536, Algorithm: "sha512"}, 1<<63 - 512, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, err := verity.NewHasher(tc.params, tc.size, "")
			if tc.want == "" {
				require.NoError(t, err)
				require.NoError(t, h.Close())
				return
			}
			require.ErrorIs(t, err, verity.ErrOption)
			require.ErrorContains(t, err, tc.want)
		})
	}
	h, err := verity.NewHasher(params, 8192, "")
	require.NoError(t, err)
	_, err = h.WriteAt(make([]byte, 100), 4096)
	require.NoError(t, err)
	_, err = h.WriteAt(nil, 4000)
	require.EqualError(t, err, "verity: going back from offset 4196 to 4000")
	_, err = h.WriteAt(make([]byte, 4096), 4196)
	require.EqualError(t, err, "verity: 4096 bytes at offset 4196 exceed the data's 8192")
}

func TestHashTreeIsPlanned(t *testing.T) {
	g := volume.Geometry{SectorSize: 512, Seed: uuid.UUID{1}}
	tree := &verity.HashTree{Of: "root"}
	_, err := tree.Plan(t.Context(), g)
	require.ErrorIs(t, err, verity.ErrAlone)
	p, err := tree.PlanOf(g, 1<<20)
	require.NoError(t, err)
	require.Len(t, p.Salt, 32)
	require.Equal(t, volume.Info{Format: "DM_verity_hash", UUID: p.UUID.String(), Size: 16384, Used: 16384}, p.Info())
	g.Seed = uuid.UUID{2}
	other, err := tree.PlanOf(g, 1<<20)
	require.NoError(t, err)
	require.NotEqual(t, p.Salt, other.Salt)
	require.NotEqual(t, p.UUID, other.UUID)

	g.SectorSize = 4096
	_, err = (&verity.HashTree{Params: verity.Params{DataBlockSize: 1024}}).PlanOf(g, 1<<20)
	require.ErrorContains(t, err, "blocks of 1024 bytes: bad option: want at least the disk's sectors, 4096")
}
