package image_test

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
)

// BenchmarkBuild makes 64 MiB in 640 files into a disk with an EFI system
// partition and a root partition. "packed" is the floor: a walk that copies all
// contents into one file. The peers are in integration/bench.
func BenchmarkBuild(b *testing.B) {
	const size, files = 64 * image.MiB, 640
	dir := b.TempDir()
	writeNoise(b, dir, size, files)
	for _, way := range []struct {
		name  string
		build func(b *testing.B, dir, out string)
	}{{"packed", pack}, {"disk", buildDisk}} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			out := filepath.Join(b.TempDir(), "image")
			for b.Loop() {
				way.build(b, dir, out)
				b.StopTimer() // nobody waits for that
				require.NoError(b, os.Remove(out))
				b.StartTimer()
			}
		})
	}
}

// writeNoise makes files of the same size that no compression makes smaller.
func writeNoise(b *testing.B, dir string, size int64, files int) {
	b.Helper()
	content := make([]byte, size/int64(files))
	noise := rand.NewChaCha8([32]byte{1})
	for i := range files {
		_, _ = noise.Read(content)
		sub := filepath.Join(dir, fmt.Sprintf("dir-%02d", i/32))
		require.NoError(b, os.MkdirAll(sub, 0o755))
		require.NoError(b, os.WriteFile(filepath.Join(sub, fmt.Sprintf("file-%03d", i)), content, 0o644))
	}
}

func buildDisk(b *testing.B, dir, out string) {
	root, err := filetree.FromDir(dir)
	require.NoError(b, err)
	defer root.Close()
	boot, err := filetree.FromDir(filepath.Join(dir, "dir-00"))
	require.NoError(b, err)
	defer boot.Close()
	_, err = image.Build(b.Context(), out, image.Layout{Seed: seed, Partitions: []image.Partition{
		{Type: image.ESP, Size: 64 * image.MiB, Content: &fat.FileSystem{Tree: boot}},
		{Type: image.Root, FreePercent: 10, Content: &ext4.FileSystem{Tree: root}},
	}}, image.Options{})
	require.NoError(b, err)
}

func pack(b *testing.B, dir, out string) {
	f, err := os.Create(out)
	require.NoError(b, err)
	defer f.Close()
	buf := make([]byte, image.MiB)
	require.NoError(b, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		in, err := os.Open(name)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{in}, buf)
		return err
	}))
}
