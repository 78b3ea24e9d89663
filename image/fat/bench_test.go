package fat_test

import (
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// BenchmarkBuild fills a 64 MiB FAT with 40 MiB in 20 files, by this package and
// by what else there is: `go test -bench Build` gives the ratios.
func BenchmarkBuild(b *testing.B) {
	src, out := b.TempDir(), filepath.Join(b.TempDir(), "image")
	random := rand.New(rand.NewSource(1))
	require.NoError(b, os.MkdirAll(src+"/EFI/BOOT", 0o755))
	var all []string
	for i := range 20 {
		name := fmt.Sprintf("%s/EFI/BOOT/file number %d.efi", src, i)
		content := make([]byte, 2*mib)
		random.Read(content)
		require.NoError(b, os.WriteFile(name, content, 0o644))
		all = append(all, name)
	}
	shell := func(script string) func(b *testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				cmd := exec.Command("sh", "-ec", script)
				cmd.Env = append(os.Environ(), "SRC="+src, "OUT="+out, "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
				msg, err := cmd.CombinedOutput()
				require.NoError(b, err, "%s", msg)
			}
			b.SetBytes(40 * mib)
		}
	}
	b.Run("fat", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			tree, err := filetree.FromDir(src)
			require.NoError(b, err)
			buildFile(b, out, &fat.FileSystem{Tree: tree}, geometry(64*mib))
		}
		b.SetBytes(40 * mib)
	})
	b.Run("cat", shell(`rm -f $OUT; cat `+"'"+strings.Join(all, "' '")+"'"+` > $OUT`))
	b.Run("cp", shell(`rm -rf $OUT; cp -r $SRC $OUT; rm -rf $OUT`))
	b.Run("mkfs.fat+mcopy", func(b *testing.B) {
		fixture.RequireTool(b, "mkfs.fat", "mcopy")
		shell(`rm -f $OUT; truncate -s 64M $OUT; mkfs.fat $OUT; mcopy -s -i $OUT $SRC/EFI ::`)(b)
	})
}

// buildFile builds a file system into a new file.
func buildFile(b *testing.B, name string, fs *fat.FileSystem, g volume.Geometry) {
	_ = os.RemoveAll(name)
	p, err := fs.Plan(b.Context(), g)
	require.NoError(b, err)
	f, err := os.Create(name)
	require.NoError(b, err)
	defer f.Close()
	require.NoError(b, f.Truncate(g.Size))
	w := volume.NewWriter(f, g.Size)
	defer w.Close()
	require.NoError(b, p.Write(b.Context(), w))
	require.NoError(b, w.Flush())
}

// nowhere is a sink that keeps nothing.
type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// BenchmarkNames plans and writes a directory of empty files: the cost of names.
func BenchmarkNames(b *testing.B) {
	for _, tc := range []struct {
		name, format string
		count        int
	}{
		{"short", "F%07d", 60000},
		{"long", "a long name %05d", 20000}, // 3 entries each, one beginning
		{"unicode", "имя %05d", 30000},
	} {
		b.Run(tc.name, func(b *testing.B) {
			tr := filetree.New()
			for i := range tc.count {
				_, err := tr.Add("dir/"+fmt.Sprintf(tc.format, i), filetree.File(nil, 0o644))
				require.NoError(b, err)
			}
			b.ReportAllocs()
			for b.Loop() {
				p, err := (&fat.FileSystem{Tree: tr}).Plan(b.Context(), geometry(0))
				require.NoError(b, err)
				w := volume.NewWriter(nowhere{}, p.Info().Size)
				require.NoError(b, p.Write(b.Context(), w))
				require.NoError(b, w.Flush())
				require.NoError(b, w.Close())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*tc.count), "ns/name")
		})
	}
}
