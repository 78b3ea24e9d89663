package squashfs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/volume"
)

// sourceDir is a directory of all that mksquashfs keeps.
func sourceDir(t testing.TB) string {
	t.Helper()
	fixture.RequireRoot(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, b []byte) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(at(name)), 0o755))
		require.NoError(t, os.WriteFile(at(name), b, 0o640))
	}
	for i, n := range []int{0, 1, 100, 4095, 4096, 4097, 8192, 100_000, 1 << 17, 1<<20 + 77} {
		write(fmt.Sprintf("sizes/%d", n), sample.Pattern(n))
		write(fmt.Sprintf("noise/%d", n), sample.Noise(uint64(i), n))
		write(fmt.Sprintf("zeros/%d", n), make([]byte, n))
	}
	for i := range 600 {
		write(fmt.Sprintf("many/%d-%s", i, strings.Repeat("n", i%240)), sample.Pattern(i))
	}
	for i := range 5 {
		require.NoError(t, os.MkdirAll(at(fmt.Sprintf("empty/%d", i)), 0o700))
	}
	for _, n := range []int{1, 200, 1000, 4095} {
		require.NoError(t, os.Symlink(strings.Repeat("t", n), at(fmt.Sprintf("sizes/link%d", n))))
	}
	holes, err := os.Create(at("holes"))
	require.NoError(t, err)
	for _, off := range []int64{0, 1 << 20, 5<<20 + 4096} {
		_, err := holes.WriteAt(sample.Pattern(5000), off)
		require.NoError(t, err)
	}
	require.NoError(t, holes.Truncate(9<<20+1))
	require.NoError(t, holes.Close())
	require.NoError(t, os.Link(at("sizes/8192"), at("linked")))
	require.NoError(t, os.Link(at("sizes/8192"), at("many/linked")))
	require.NoError(t, unix.Mknod(at("char"), unix.S_IFCHR|0o600, int(unix.Mkdev(4, 64))))
	require.NoError(t, unix.Mknod(at("block"), unix.S_IFBLK|0o660, int(unix.Mkdev(259, 70000))))
	require.NoError(t, unix.Mkfifo(at("fifo"), 0o600))
	require.NoError(t, unix.Mknod(at("socket"), unix.S_IFSOCK|0o755, 0))
	for i, name := range []string{"char", "sizes/100", "sizes/4096", "sizes/link200", "empty/1"} {
		require.NoError(t, os.Lchown(at(name), 70000+i, 80000))
		require.NoError(t, unix.Lsetxattr(at(name), "trusted.two", sample.Pattern(300*i+1), 0))
		require.NoError(t, unix.Lsetxattr(at(name), "security.label", []byte("same"), 0))
	}
	require.NoError(t, unix.Setxattr(at("sizes/1"), "user.one", sample.Pattern(3000), 0))
	require.NoError(t, unix.Setxattr(at("sizes/1"), "user.empty", nil, 0))
	require.NoError(t, os.Chmod(at("sizes/4097"), 0o755|os.ModeSetuid))
	require.NoError(t, unix.Setxattr(at("noise/1"), "security.capability", []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0))
	require.NoError(t, os.Chtimes(dir, created, time.Unix(0, 0)))
	return dir
}

// TestReaderReadsMksquashfs has the reader read what mksquashfs makes, of all
// shapes.
func TestReaderReadsMksquashfs(t *testing.T) {
	dir := sourceDir(t)
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
			tool(t, "mksquashfs", append([]string{dir, image, "-quiet", "-no-progress"}, args...)...)
			o := filetree.DiffOptions{Aspects: filetree.DefaultAspects}
			switch name {
			case "one owner":
				o.Aspects &^= filetree.AspectOwner
			case "no attributes":
				o.SkipXattr = func(string) bool { return true }
			case "behind other bytes":
				tool(t, "dd", "if="+image, "of="+image+".part", "bs=4096", "skip=1")
				image += ".part"
			}
			requireReads(t, want, open(t, image), o)
		})
	}
}

// An image that has been added to has its tables behind those that there were.
func TestReaderReadsAppended(t *testing.T) {
	dir := sourceDir(t)
	image := filepath.Join(t.TempDir(), "image")
	for range 2 {
		tool(t, "mksquashfs", dir, image, "-quiet", "-no-progress", "-root-becomes", "before")
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
	dir := sourceDir(t)
	want, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer want.Close()
	for _, compression := range []string{"gzip", "xz", "lz4", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "image")
			tool(t, "gensquashfs", "--pack-dir", dir, "-c", compression, "--quiet", "--keep-xattr", "--keep-time", image)
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
		tool(t, "mksquashfs", append([]string{dir, image, "-quiet", "-no-progress"}, args...)...)
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
