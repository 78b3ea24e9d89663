package fat_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/volume"
)

const (
	kib = int64(1) << 10
	mib = int64(1) << 20
	gib = int64(1) << 30
)

var when = time.Date(2024, 2, 29, 12, 34, 57, 890_000_000, time.UTC)

// geometry is that of a volume of 512-byte sectors.
func geometry(size int64) volume.Geometry {
	return volume.Geometry{SectorSize: 512, Offset: mib, Size: size, Seed: imagetest.Seed, Time: when}
}

// build writes a file system into a new file and returns its name.
func build(t testing.TB, fs *fat.FileSystem, g volume.Geometry) (name string, info volume.Info) {
	t.Helper()
	p, err := fs.Plan(t.Context(), g)
	require.NoError(t, err)
	name = filepath.Join(t.TempDir(), "image")
	imagetest.WritePlan(t, p, name)
	return name, p.Info()
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
var run = imagetest.Tool

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

// Volumes of every size, sector and type, on which fsck.vfat finds nothing, with
// the type and the number of clusters that it counts, taken and in all.
func TestSizes(t *testing.T) {
	small := map[string]string{"A/B/C": "small"}
	for _, tc := range []struct {
		size   int64
		sector int
		typ    fat.Type
		files  map[string]string
		want   fat.Type
		fsck   string
	}{
		{size: 32 * kib, files: small, want: fat.FAT12, fsck: "4 files, 3/7 clusters"},
		{size: 1440 * kib, want: fat.FAT12, fsck: "15 files, 559/2847 clusters"},
		{size: 4 * mib, want: fat.FAT12, fsck: "15 files, 149/2036 clusters"},
		{size: 8 * mib, want: fat.FAT12, fsck: "15 files, 149/4068 clusters"}, // not 4083
		{size: 9 * mib, want: fat.FAT16, fsck: "15 files, 149/4590 clusters"},
		{size: 64 * mib, want: fat.FAT16, fsck: "15 files, 149/32694 clusters"},
		{size: 64 * mib, typ: fat.FAT32, want: fat.FAT32, fsck: "15 files, 561/129022 clusters"},
		{size: 300 * mib, want: fat.FAT16, fsck: "15 files, 47/38379 clusters"},
		{size: 512 * mib, want: fat.FAT32, fsck: "15 files, 82/130812 clusters"},
		{size: 1024 * gib, want: fat.FAT32, fsck: "15 files, 22/33546241 clusters"},
		{size: mib, sector: 4096, want: fat.FAT12, fsck: "15 files, 30/62 clusters"},
		{size: 64 * mib, sector: 4096, want: fat.FAT12, fsck: "15 files, 30/4068 clusters"},
		{size: 64 * mib, sector: 2048, want: fat.FAT16, fsck: "15 files, 47/8185 clusters"},
		{size: 64 * mib, sector: 1024, want: fat.FAT16, fsck: "15 files, 81/16363 clusters"},
		{size: 512 * mib, sector: 4096, want: fat.FAT32, fsck: "15 files, 82/130784 clusters"},
		{size: 0, want: fat.FAT12, fsck: "15 files, 559/559 clusters"},
		{size: 0, sector: 4096, want: fat.FAT12, fsck: "15 files, 81/81 clusters"},
		{size: 0, typ: fat.FAT16, want: fat.FAT16, fsck: "15 files, 559/4101 clusters"},
		{size: 0, typ: fat.FAT32, want: fat.FAT32, fsck: "15 files, 561/65541 clusters"},
		{size: 0, typ: fat.FAT32, sector: 4096, want: fat.FAT32, fsck: "15 files, 82/65541 clusters"},
	} {
		t.Run(fmt.Sprint(tc.size, tc.sector, tc.typ), func(t *testing.T) {
			g := geometry(tc.size)
			if tc.sector != 0 {
				g.SectorSize = tc.sector
			}
			if tc.files == nil {
				tc.files = sample
			}
			img, info := build(t, &fat.FileSystem{Tree: tree(t, tc.files), Label: "DRIVEBAY", Type: tc.typ}, g)
			require.Equal(t, tc.fsck, fsck(t, img))
			got := readBoot(t, img)
			require.Equal(t, int(tc.want), got.Type)
			require.Contains(t, run(t, "file", img), fmt.Sprintf("FAT (%d bit)", tc.want))

			var taken, all int64
			_, err := fmt.Sscanf(strings.SplitAfter(tc.fsck, ", ")[1], "%d/%d", &taken, &all)
			require.NoError(t, err)
			if tc.size == 0 {
				tc.size = info.Size // as small as can be, hence what it is
			}
			free := (all - taken) * int64(got.Cluster)
			require.Equal(t, volume.Info{
				Format: "vfat", Label: "DRIVEBAY", UUID: "6C8E-EC83", Size: tc.size,
				Used:  tc.size - free,
				Free:  info.Free, // see poison
				Files: int64(len(withParents(tc.files))),
			}, info)
			require.Equal(t, free, poison(t, img, info.Free))
			require.Equal(t, tc.fsck, fsck(t, img))
		})
	}
}

// poison overwrites both ends of what is free and returns how much it is.
func poison(t *testing.T, name string, free []volume.Extent) (n int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close()
	for _, e := range free {
		b := bytes.Repeat([]byte{0xff}, int(min(e.Length, 64<<10)))
		for _, off := range []int64{e.Offset, e.End() - int64(len(b))} {
			_, err := f.WriteAt(b, off)
			require.NoError(t, err)
		}
		n += e.Length
	}
	return n
}

// A volume without anything in it, and a geometry that says as little as it can.
func TestEmpty(t *testing.T) {
	for name, tc := range geometries {
		t.Run(name, func(t *testing.T) {
			img, info := build(t, &fat.FileSystem{Type: tc.typ}, volume.Geometry{SectorSize: 512, Size: tc.size})
			require.Contains(t, fsck(t, img), "0 files, ")
			require.Zero(t, info.Files)
		})
	}
	img, info := build(t, &fat.FileSystem{}, volume.Geometry{SectorSize: 512})
	require.Contains(t, fsck(t, img), "0 files, 0/1 clusters")
	require.Equal(t, int64(5*512), info.Size)
}

func TestDeep(t *testing.T) {
	path := strings.Repeat("d/", 2000) + "f"
	img, _ := build(t, &fat.FileSystem{Tree: tree(t, map[string]string{path: "deep"})}, geometry(8*mib))
	require.Contains(t, fsck(t, img), "2001 files")
}
