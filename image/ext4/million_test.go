package ext4_test

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// BenchmarkMillionFiles plans and writes a million files of 4 KiB, without the
// contents' costs. What the plan holds is shown beside what the tree does.
func BenchmarkMillionFiles(b *testing.B) {
	before := heap()
	tr := filetree.New()
	open := func() (filetree.Content, error) { return io.NopCloser(io.LimitReader(zeros{}, 4096)), nil }
	for i := range 1_000_000 {
		_, err := tr.Add(fmt.Sprintf("dir%d/file-%07d", i/500, i), filetree.Entry{Mode: 0o644, Size: 4096, ModTime: created, Open: open})
		require.NoError(b, err)
	}
	tr.Sort()
	tree := heap()
	b.ReportAllocs()
	var planned uint64
	for b.Loop() {
		start := time.Now()
		p, err := (&ext4.FileSystem{Tree: tr}).Plan(b.Context(), geometry(0))
		require.NoError(b, err)
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "plan-ms")
		planned = heap()
		w := volume.NewWriter(discard{}, p.Info().Size)
		require.NoError(b, p.Write(b.Context(), w))
		require.NoError(b, w.Flush())
		require.NoError(b, w.Close())
	}
	b.ReportMetric(float64(tree-before)/1e6, "tree-MB")
	b.ReportMetric(float64(planned-tree)/1e6, "plan-MB")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
