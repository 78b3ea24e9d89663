package squashfs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/squashfs"
)

// benchTree is a directory to make an image of: that which the environment
// variable names, or one of 32 MiB, of which a half compresses.
func benchTree(b *testing.B) string {
	b.Helper()
	if dir := os.Getenv("DRIVEBAY_BENCH_TREE"); dir != "" {
		return dir
	}
	dir := b.TempDir()
	for i := range 320 {
		name := filepath.Join(dir, fmt.Sprint(i/16), fmt.Sprintf("file-%03d", i))
		require.NoError(b, os.MkdirAll(filepath.Dir(name), 0o755))
		content := append(sample.Noise(uint64(i), 1000*(i%100)), sample.Pattern(1000*(i%100))...)
		require.NoError(b, os.WriteFile(name, content, 0o644))
	}
	return dir
}

// BenchmarkImage makes an image of the same tree in several ways. What matters are
// the ratios in one run.
func BenchmarkImage(b *testing.B) {
	dir := benchTree(b)
	out := filepath.Join(b.TempDir(), "image")
	for _, c := range []struct {
		compression squashfs.Compression
		level       int
	}{{squashfs.Zstd, 3}, {squashfs.Gzip, 6}, {squashfs.None, 0}} {
		b.Run(c.compression.String()+"/drivebay", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tr, err := filetree.FromDir(dir)
				require.NoError(b, err)
				fs := &squashfs.FileSystem{Tree: tr, Compression: c.compression, Level: c.level}
				p, err := fs.Plan(b.Context(), imagetest.Geometry(0))
				require.NoError(b, err)
				imagetest.WritePlan(b, p, out)
				require.NoError(b, fs.Close())
				require.NoError(b, tr.Close())
			}
			reportSize(b, out)
		})
		b.Run(c.compression.String()+"/mksquashfs", func(b *testing.B) {
			args := []string{dir, out, "-noappend", "-quiet", "-no-progress"}
			if c.compression == squashfs.None {
				args = append(args, "-noI", "-noD", "-noF", "-noX")
			} else {
				args = append(args, "-comp", c.compression.String(), "-Xcompression-level", fmt.Sprint(c.level))
			}
			program(b, out, "mksquashfs", args...)
		})
	}
	b.Run("zstd/gensquashfs", func(b *testing.B) {
		program(b, out, "gensquashfs", "--pack-dir", dir, "-c", "zstd", "-X", "level=3", "--force", "--quiet", "--keep-xattr", out)
	})
}

func program(b *testing.B, out, name string, args ...string) {
	path := fixture.RequireTool(b, name)
	for b.Loop() {
		msg, err := exec.Command(path, args...).CombinedOutput()
		require.NoError(b, err, "%s", msg)
	}
	reportSize(b, out)
}

func reportSize(b *testing.B, name string) {
	info, err := os.Stat(name)
	require.NoError(b, err)
	b.ReportMetric(float64(info.Size())/(1<<20), "MiB")
}
