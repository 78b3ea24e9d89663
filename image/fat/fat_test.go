package fat_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

const (
	kib = int64(1) << 10
	mib = int64(1) << 20
	gib = int64(1) << 30
)

var (
	seed = uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001")
	when = time.Date(2024, 2, 29, 12, 34, 57, 890_000_000, time.UTC)
)

// geometry is that of a volume of 512-byte sectors.
func geometry(size int64) volume.Geometry {
	return volume.Geometry{SectorSize: 512, Offset: mib, Size: size, Seed: seed, Time: when}
}

// build writes a file system into a new file and returns its name.
func build(t testing.TB, fs *fat.FileSystem, g volume.Geometry) (name string, info volume.Info) {
	t.Helper()
	p, err := fs.Plan(g)
	require.NoError(t, err)
	info = p.Info()
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(info.Size))
	w := volume.NewWriter(f, info.Size)
	defer w.Close()
	require.NoError(t, p.Write(t.Context(), w))
	require.NoError(t, w.Flush())
	return f.Name(), info
}

// tree returns a tree of the given files. A path that ends with a slash is a
// directory.
func tree(t testing.TB, files map[string]string) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	for path, content := range files {
		e := filetree.File([]byte(content), 0o644)
		if strings.HasSuffix(path, "/") {
			e = filetree.Dir(0o755)
		}
		e.ModTime = when
		_, err := tr.Add(strings.TrimSuffix(path, "/"), e)
		require.NoError(t, err)
	}
	return tr
}

// run runs a tool and returns what it prints.
func run(t testing.TB, tool string, args ...string) string {
	t.Helper()
	cmd := exec.Command(fixture.RequireTool(t, tool), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %s: %s", tool, strings.Join(args, " "), out)
	return string(out)
}

// fsck has fsck.vfat look at an image. It prints two lines where all is well.
func fsck(t testing.TB, image string) (summary string) {
	t.Helper()
	out := strings.Split(strings.TrimSpace(run(t, "fsck.vfat", "-n", image)), "\n")
	require.Len(t, out, 2, "fsck.vfat: %s", strings.Join(out, "\n"))
	return strings.TrimPrefix(out[1], image+": ")
}

// emoji is a name outside the basic plane.
const emoji = "😀 emoji.😀"

// sample is one file of each kind that matters.
var sample = map[string]string{
	"README":                            "upper case",
	"readme.txt":                        "lower case",
	"Mixed.Txt":                         "mixed case",
	"EFI/":                              "",
	"EFI/BOOT/BOOTX64.EFI":              strings.Repeat("efi!", 70000),
	"EFI/empty/":                        "",
	"a name that is long.configuration": "long",
	"a name that is long.conf":          "also long",
	"Привет, мир.txt":                   "cyrillic",
	"😀 emoji.😀":                         "surrogates",
	".hidden":                           "",
	"exactly13char":                     "13",
	"exactly-twentysix-charact.x":       "26 or so",
}

func TestSizes(t *testing.T) {
	for _, tc := range []struct {
		size   int64
		sector int
		typ    fat.Type
		small  bool
	}{
		{size: 32 * kib, small: true},
		{size: 1440 * kib},
		{size: 4 * mib},
		{size: 9 * mib},
		{size: 64 * mib},
		{size: 64 * mib, typ: fat.FAT32},
		{size: 300 * mib},
		{size: 512 * mib},
		{size: 1024 * gib},
		{size: 1 * mib, sector: 4096},
		{size: 64 * mib, sector: 4096},
		{size: 512 * mib, sector: 4096},
		{size: 64 * mib, sector: 2048},
		{size: 0},
		{size: 0, sector: 4096},
		{size: 0, typ: fat.FAT16},
		{size: 0, typ: fat.FAT32},
		{size: 0, typ: fat.FAT32, sector: 4096},
	} {
		t.Run(fmt.Sprint(tc.size, tc.sector, tc.typ), func(t *testing.T) {
			g := geometry(tc.size)
			if tc.sector != 0 {
				g.SectorSize = tc.sector
			}
			files := sample
			if tc.small {
				files = map[string]string{"A/B/C": "small"}
			}
			img, info := build(t, &fat.FileSystem{Tree: tree(t, files), Label: "DRIVEBAY", Type: tc.typ}, g)
			t.Logf("%+v", info)
			t.Log(fsck(t, img))
			t.Log(run(t, "file", img))
			t.Log(run(t, "mdir", "-i", img, "-/"))
		})
	}
}
