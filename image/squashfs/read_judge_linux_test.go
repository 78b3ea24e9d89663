package squashfs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/volume"
)

// TestReaderReadsMksquashfs has the reader read what mksquashfs makes, of all
// shapes.
func TestReaderReadsMksquashfs(t *testing.T) {
	dir := imagetest.SourceDir(t)
	want, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer want.Close()
	for name, args := range map[string][]string{
		"gzip":               {"-comp", "gzip"},
		"gzip strategies":    {"-comp", "gzip", "-Xcompression-level", "1", "-Xstrategy", "default,huffman_only,filtered"},
		"zstd":               {"-comp", "zstd"},
		"zstd 19":            {"-comp", "zstd", "-Xcompression-level", "19", "-b", "1M"},
		"lz4":                {"-comp", "lz4"},
		"lz4 hc":             {"-comp", "lz4", "-Xhc", "-b", "4096"},
		"xz":                 {"-comp", "xz"},
		"xz 4k":              {"-comp", "xz", "-b", "4096"},
		"xz 1m, dictionary":  {"-comp", "xz", "-b", "1M", "-Xdict-size", "50%"},
		"none":               {"-noI", "-noD", "-noF", "-noX"},
		"metadata only":      {"-noD", "-noF"},
		"data only":          {"-noI", "-noX"},
		"no fragments":       {"-no-fragments"},
		"all tails, 4k":      {"-always-use-fragments", "-b", "4096"},
		"no duplicates":      {"-no-duplicates"},
		"no export":          {"-no-exports"},
		"not padded":         {"-nopad"},
		"one owner":          {"-all-root"},
		"no attributes":      {"-no-xattrs"},
		"no holes":           {"-no-sparse"},
		"behind other bytes": {"-offset", "4096"},
	} {
		t.Run(name, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "image")
			imagetest.Tool(t, "mksquashfs", append([]string{dir, image, "-quiet", "-no-progress"}, args...)...)
			o := filetree.DiffOptions{Aspects: filetree.DefaultAspects}
			switch name {
			case "one owner":
				o.Aspects &^= filetree.AspectOwner
			case "no attributes":
				o.SkipXattr = func(string) bool { return true }
			case "behind other bytes":
				imagetest.Tool(t, "dd", "if="+image, "of="+image+".part", "bs=4096", "skip=1")
				image += ".part"
			}
			requireReads(t, want, open(t, image), o)
		})
	}
}

// An image that has been added to has its tables behind those that there were.
func TestReaderReadsAppended(t *testing.T) {
	dir := imagetest.SourceDir(t)
	image := filepath.Join(t.TempDir(), "image")
	for range 2 {
		imagetest.Tool(t, "mksquashfs", dir, image, "-quiet", "-no-progress", "-root-becomes", "before")
	}
	r := open(t, image)
	for _, name := range []string{"before/linked", "sizes/100000", "before/many/599-" + strings.Repeat("n", 119)} {
		want, err := os.ReadFile(filepath.Join(dir, strings.TrimPrefix(name, "before/")))
		require.NoError(t, err)
		got, err := r.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// gensquashfs is another writer, which makes copies of hard links, and loses
// attributes without a value and the root's time.
func TestReaderReadsGensquashfs(t *testing.T) {
	dir := imagetest.SourceDir(t)
	want, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer want.Close()
	for _, compression := range []string{"gzip", "xz", "lz4", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "image")
			imagetest.Tool(t, "gensquashfs", "--pack-dir", dir, "-c", compression, "--quiet", "--keep-xattr", "--keep-time", image)
			requireReads(t, want, open(t, image), filetree.DiffOptions{
				Aspects:   filetree.DefaultAspects &^ filetree.AspectLinks,
				SkipXattr: func(name string) bool { return name == "user.empty" },
			})
		})
	}
}

func TestReaderRefusesFeatures(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), sample.Pattern(5000), 0o600))
	made := func(args ...string) string {
		image := filepath.Join(t.TempDir(), "image")
		imagetest.Tool(t, "mksquashfs", append([]string{dir, image, "-quiet", "-no-progress"}, args...)...)
		return image
	}
	for _, compression := range []string{"lzo", "lzma"} {
		b, err := os.ReadFile(made("-comp", compression))
		require.NoError(t, err)
		_, err = squashfs.Open(strings.NewReader(string(b)), int64(len(b)))
		require.ErrorIs(t, err, volume.ErrFeature)
		require.EqualError(t, err, "squashfs: volume has a feature that is not read: it is compressed by "+compression+": want zstd, gzip, xz, lz4 or none")
	}
	t.Run("filters", func(t *testing.T) {
		program, err := os.ReadFile("/bin/sh")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "sh"), program, 0o755))
		r := open(t, made("-comp", "xz", "-Xbcj", "x86,arm"))
		_, err = r.ReadFile("sh")
		require.ErrorIs(t, err, volume.ErrFeature)
		require.ErrorContains(t, err, "2 filters of xz, the first of which is 0x04: want 0x21 alone")
	})
}
