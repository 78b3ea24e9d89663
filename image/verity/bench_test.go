package verity_test

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/verity"
	"github.com/drivebay/drivebay/image/volume"
)

// BenchmarkTree makes the hash tree of the same bytes in several ways, beside what
// SHA-256 alone takes on one CPU. What matters are the ratios in one run.
func BenchmarkTree(b *testing.B) {
	const size = 256 << 20
	data := noise(piece{0, size})
	b.Run("sha256 of all", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			sha256.Sum256(data)
		}
	})
	b.Run("drivebay, in memory", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(size)
		for b.Loop() {
			require.NoError(b, hashData(b, data).Close())
		}
	})
	name := filepath.Join(b.TempDir(), "data")
	require.NoError(b, os.WriteFile(name, data, 0o600))
	out := filepath.Join(b.TempDir(), "tree")
	b.Run("drivebay, to a file", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(size)
		for b.Loop() {
			tree := hashFile(b, name, size)
			writeTree(b, tree, out)
			require.NoError(b, tree.Close())
		}
	})
	b.Run("veritysetup format", func(b *testing.B) {
		tool := fixture.RequireTool(b, "veritysetup")
		b.SetBytes(size)
		for b.Loop() {
			_ = os.Remove(out)
			msg, err := exec.Command(tool, "format", name, out, "--salt", "73616c74").CombinedOutput()
			require.NoError(b, err, "%s", msg)
		}
	})
}

// BenchmarkHole makes the hash tree of a tebibyte of zeros.
func BenchmarkHole(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		hashPieces(b, params, 1<<40, nil)
	}
}

// hashData returns the tree of bytes, in pieces as a volume.Writer hands them out.
func hashData(b *testing.B, data []byte) *verity.Tree {
	h, err := verity.NewHasher(params, int64(len(data)), "")
	require.NoError(b, err)
	for off := 0; off < len(data); off += 1 << 20 {
		_, err := h.WriteAt(data[off:off+1<<20], int64(off))
		require.NoError(b, err)
	}
	tree, err := h.Tree()
	require.NoError(b, err)
	return tree
}

// hashFile returns the tree of a file.
func hashFile(b *testing.B, name string, size int64) *verity.Tree {
	f, err := os.Open(name)
	require.NoError(b, err)
	defer f.Close()
	h, err := verity.NewHasher(params, size, "")
	require.NoError(b, err)
	w := volume.NewWriter(h, size)
	defer w.Close()
	require.NoError(b, w.ReadN(f, size))
	require.NoError(b, w.Flush())
	tree, err := h.Tree()
	require.NoError(b, err)
	return tree
}

// writeTree writes a tree to a file.
func writeTree(b *testing.B, tree *verity.Tree, name string) {
	f, err := os.Create(name)
	require.NoError(b, err)
	defer f.Close()
	w := volume.NewWriter(f, tree.Size())
	defer w.Close()
	require.NoError(b, tree.Write(b.Context(), w))
	require.NoError(b, w.Flush())
}
