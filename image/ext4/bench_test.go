package ext4_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
)

// benchTree is a directory to make an image of: that which the environment
// variable names, or one of 64 MiB in 640 files.
func benchTree(b *testing.B) (dir string, size int64) {
	b.Helper()
	dir = os.Getenv("DRIVEBAY_BENCH_TREE")
	if dir == "" {
		dir = b.TempDir()
		makeBenchTree(b, dir)
	}
	require.NoError(b, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			info, err := d.Info()
			size += info.Size()
			return err
		}
		return err
	}))
	return dir, size
}

// makeBenchTree makes 64 MiB of files, of which most are small and some are not.
func makeBenchTree(b *testing.B, dir string) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, 4<<20)
	for i := range content {
		content[i] = byte(r.Uint32())
	}
	for i := range 640 {
		size := 1 + r.IntN(32<<10)
		if i%10 == 0 {
			size = 1 + r.IntN(1<<20)
		}
		if i%64 == 0 {
			size = 2 << 20
		}
		from := r.IntN(len(content) - size)
		sub := filepath.Join(dir, strconv.Itoa(i/64), strconv.Itoa(i/16))
		require.NoError(b, os.MkdirAll(sub, 0o755))
		require.NoError(b, os.WriteFile(filepath.Join(sub, fmt.Sprintf("file-%04d", i)), content[from:from+size], 0o644))
	}
}

// BenchmarkImage makes the same tree into an image in three ways. What matters
// are the ratios in one run: "packed" is the floor, a walk that copies all
// contents into one file.
func BenchmarkImage(b *testing.B) {
	dir, size := benchTree(b)
	out := filepath.Join(b.TempDir(), "image")
	for _, way := range []struct {
		name string
		make func(b *testing.B, dir, out string, size int64)
	}{
		{"packed", packedFile},
		{"ext4", writeTree},
		{"mke2fs", mke2fs},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				way.make(b, dir, out, size)
			}
		})
		_ = os.Remove(out)
	}
}

func packedFile(b *testing.B, dir, out string, _ int64) {
	f, err := os.Create(out)
	require.NoError(b, err)
	defer f.Close()
	buf := make([]byte, 1<<20)
	off := int64(0)
	require.NoError(b, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		in, err := os.Open(name)
		if err != nil {
			return err
		}
		defer in.Close()
		for {
			n, err := in.Read(buf)
			if n == 0 {
				return nil
			}
			if err != nil {
				return err
			}
			if _, err := f.WriteAt(buf[:n], off); err != nil {
				return err
			}
			off += int64(n)
		}
	}))
}

func writeTree(b *testing.B, dir, out string, _ int64) {
	tr, err := filetree.FromDir(dir)
	require.NoError(b, err)
	p, err := (&ext4.FileSystem{Tree: tr}).Plan(b.Context(), geometry(0))
	require.NoError(b, err)
	writePlan(b, p, out)
}

func mke2fs(b *testing.B, dir, out string, size int64) {
	_ = os.Remove(out)
	cmd := exec.Command(fixture.RequireTool(b, "mke2fs"), "-q", "-t", "ext4", "-b", "4096", "-d", dir, out,
		strconv.FormatInt((size+size/8)>>10+16<<10, 10)+"k")
	msg, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", msg)
}
