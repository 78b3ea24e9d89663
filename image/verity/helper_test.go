package verity_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

func TestMain(m *testing.M) { fixture.Main(m) }

var (
	id     = uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001")
	params = verity.Params{Salt: []byte("salt"), UUID: id}
)

// piece is a run of bytes at an offset.
type piece struct{ off, size int64 }

// everything is one piece of all.
func everything(size int64) []piece { return []piece{{0, size}} }

// scattered are pieces with holes between them, that begin and end anywhere.
func scattered(size int64) (list []piece) {
	random := rand.New(rand.NewPCG(1, uint64(size)))
	for off := int64(0); ; {
		off += random.Int64N(size/20 + 2)
		n := min(1+random.Int64N(size/30+2), size-off)
		if n <= 0 {
			return list
		}
		list = append(list, piece{off, n})
		off += n
	}
}

// noise returns a piece's bytes.
func noise(p piece) []byte {
	b := make([]byte, p.size)
	_, _ = rand.NewChaCha8([32]byte{byte(p.off)}).Read(b) // never fails
	return b
}

// writeFile makes a file of pieces.
func writeFile(t *testing.T, name string, size int64, pieces []piece) {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(size))
	for _, p := range pieces {
		_, err := f.WriteAt(noise(p), p.off)
		require.NoError(t, err)
	}
}

// hashPieces returns the tree of pieces.
func hashPieces(t testing.TB, p verity.Params, size int64, pieces []piece) *verity.Tree {
	t.Helper()
	h, err := verity.NewHasher(p, size, "")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	for _, p := range pieces {
		n, err := h.WriteAt(noise(p), p.off)
		require.NoError(t, err)
		require.Equal(t, int(p.size), n)
	}
	tree, err := h.Tree()
	require.NoError(t, err)
	return tree
}

// makeTree writes the tree of pieces and returns its file and the root hash.
func makeTree(t *testing.T, p verity.Params, size int64, pieces []piece) (name, root string) {
	t.Helper()
	tree := hashPieces(t, p, size, pieces)
	want, err := p.TreeSize(size)
	require.NoError(t, err)
	require.Equal(t, want, tree.Size())
	name = filepath.Join(t.TempDir(), "ours")
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(tree.Size()))
	w := volume.NewWriter(f, tree.Size())
	defer w.Close()
	require.NoError(t, tree.Write(t.Context(), w))
	require.Equal(t, tree.Size(), w.Offset())
	require.NoError(t, w.Flush())
	return name, tree.RootHash().String()
}
