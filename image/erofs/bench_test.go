package erofs_test

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// BenchmarkMillionFiles plans and writes a million files of 1,000 bytes, without the
// contents' costs. What the plan holds is shown beside what the tree does. How long
// real files take beside mkfs.erofs is what integration/bench measures.
func BenchmarkMillionFiles(b *testing.B) {
	before := heap()
	tr := filetree.New()
	open := func() (filetree.Content, error) { return io.NopCloser(io.LimitReader(zeros{}, 1000)), nil }
	label := []filetree.Xattr{{Name: "security.selinux", Value: []byte("system_u:object_r:bin_t:s0\x00")}}
	for i := range 1_000_000 {
		e := filetree.Entry{Mode: 0o644, Size: 1000, ModTime: created.Add(time.Hour), Open: open, Xattrs: label}
		_, err := tr.Add(fmt.Sprintf("dir%d/file-%07d", i/500, i), e)
		require.NoError(b, err)
	}
	tr.Sort()
	tree := heap()
	b.ReportAllocs()
	var planned uint64
	for b.Loop() {
		start := time.Now()
		p, err := (&erofs.FileSystem{Tree: tr}).Plan(b.Context(), geometry(0))
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

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
