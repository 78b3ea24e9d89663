package iso9660_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/iso9660"
	"github.com/drivebay/drivebay/image/volume"
)

// manyFiles is a tree of 20,000 files of 1 KiB in 200 directories.
func manyFiles(b *testing.B) *filetree.Tree {
	b.Helper()
	tr := filetree.New()
	content := sample.Pattern(1024)
	for i := range 20_000 {
		_, err := tr.Add(fmt.Sprintf("directory %d/file number %d.text", i%200, i), filetree.File(content, 0o644))
		require.NoError(b, err)
	}
	return tr
}

func BenchmarkPlan(b *testing.B) {
	f := &iso9660.FileSystem{Tree: manyFiles(b), Joliet: true}
	b.ReportAllocs()
	for b.Loop() {
		_, err := f.Plan(b.Context(), geometry(0))
		require.NoError(b, err)
	}
}

func BenchmarkWrite(b *testing.B) {
	p, err := (&iso9660.FileSystem{Tree: manyFiles(b), Joliet: true}).Plan(b.Context(), geometry(0))
	require.NoError(b, err)
	b.SetBytes(p.Info().Size)
	b.ReportAllocs()
	for b.Loop() {
		w := volume.NewWriter(nowhere{}, p.Info().Size)
		require.NoError(b, p.Write(b.Context(), w))
		require.NoError(b, w.Flush())
		require.NoError(b, w.Close())
	}
}
