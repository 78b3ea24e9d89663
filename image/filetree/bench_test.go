package filetree_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// bigArchive is an archive of files in directories of a hundred.
func bigArchive(files int) []byte {
	block := make([]byte, 512)
	copy(block[100:], "0000644\x000000000\x000000000\x0000000000000\x0014000000000\x00        0")
	copy(block[257:], "ustar\x0000")
	var b bytes.Buffer
	for i := range files {
		clear(block[:100])
		copy(block, fmt.Sprintf("usr/lib/directory%04d/file%06d.ext", i/100, i))
		copy(block[148:], "        ")
		sum := 0
		for _, c := range block {
			sum += int(c)
		}
		copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
		b.Write(block)
	}
	b.Write(make([]byte, 1024))
	return b.Bytes()
}

// BenchmarkTree tells how much memory a file takes in a tree that is done.
func BenchmarkTree(b *testing.B) {
	for _, files := range []int{100, 10_000, 1_000_000} {
		b.Run(fmt.Sprint(files), func(b *testing.B) {
			data := bigArchive(files)
			before := heap()
			var tr *filetree.Tree
			b.ReportAllocs()
			for b.Loop() {
				var err error
				tr, err = filetree.FromTar(bytes.NewReader(data))
				require.NoError(b, err)
			}
			b.ReportMetric(float64(heap()-before)/float64(tr.Len()), "live-B/file")
			runtime.KeepAlive(data)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(tr.Len()), "ns/file")
		})
	}
}

// BenchmarkFromDir compares with a walk that calls lstat for each file.
func BenchmarkFromDir(b *testing.B) {
	dir := b.TempDir()
	for d := range 100 {
		require.NoError(b, os.MkdirAll(fmt.Sprintf("%s/d%d/s%d", dir, d%10, d), 0o755))
		for f := range 50 {
			require.NoError(b, os.WriteFile(fmt.Sprintf("%s/d%d/s%d/file%03d", dir, d%10, d, f), []byte("content"), 0o644))
		}
	}
	b.Run("WalkDir", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			require.NoError(b, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
				if err == nil {
					_, err = d.Info()
				}
				return err
			}))
		}
	})
	b.Run("FromDir", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			tr, err := filetree.FromDir(dir)
			require.NoError(b, err)
			require.Equal(b, 5111, tr.Len())
			require.NoError(b, tr.Close())
		}
	})
}

// BenchmarkDiff compares contents.
func BenchmarkDiff(b *testing.B) {
	content := bytes.Repeat([]byte("drivebay"), 1<<17)
	tr := filetree.New()
	for i := range 64 {
		set(b, tr, fmt.Sprint(i), filetree.File(content, 0o644))
	}
	b.SetBytes(64 * int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		diffs, err := filetree.Diff(b.Context(), tr, tr, filetree.DiffOptions{})
		require.NoError(b, err)
		require.Empty(b, diffs)
	}
}
