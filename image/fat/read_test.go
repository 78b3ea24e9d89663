package fat_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/volume"
)

// open opens an image to be read.
func open(t testing.TB, image string) *fat.Reader {
	t.Helper()
	f, size := imagetest.OpenFile(t, image)
	r, err := fat.Open(f, size)
	require.NoError(t, err)
	return r
}

// fatAspects is what FAT holds.
const fatAspects = filetree.AspectName | filetree.AspectType | filetree.AspectModTime | filetree.AspectSize | filetree.AspectContent

// requireRead compares what a reader finds with a tree.
func requireRead(t testing.TB, want *filetree.Tree, r *fat.Reader) {
	t.Helper()
	got, err := filetree.FromFS(r)
	require.NoError(t, err)
	diffs, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{Aspects: fatAspects, TimeResolution: 2 * time.Second})
	require.NoError(t, err)
	require.Empty(t, withoutRoot(diffs))
}

// withoutRoot leaves out the root, which FAT has no entry for.
func withoutRoot(diffs []filetree.Difference) (list []filetree.Difference) {
	for _, d := range diffs {
		if d.Path != "." {
			list = append(list, d)
		}
	}
	return list
}

func TestReaderReadsOurs(t *testing.T) {
	for name, tc := range geometries {
		t.Run(name, func(t *testing.T) {
			tr := tree(t, sample)
			for _, sector := range []int{512, 4096} {
				g := geometry(tc.size * int64(sector) / 512)
				g.SectorSize = sector
				image, want := build(t, &fat.FileSystem{Tree: tr, Label: "Drive bay", ID: 0x12ab34cd, Type: tc.typ}, g)
				r := open(t, image)
				require.Equal(t, tc.typ, r.Type())
				requireRead(t, tr, r)
				got, err := r.Info()
				require.NoError(t, err)
				want.Free = nil                  // which is not read
				want.Files = int64(tr.Len() - 1) // whatever the plan counts: names, without the root's
				require.Equal(t, want, got)
			}
		})
	}
}

// TestReaderReadsMtools has the reader read what mkfs.fat and mtools make.
func TestReaderReadsMtools(t *testing.T) {
	dir := t.TempDir()
	files := maps.Clone(sample)
	delete(files, emoji) // mtools knows no surrogates
	for i := range 300 { // no name over a cluster of 512 bytes: mcopy finds no room for these
		files[fmt.Sprintf("many/%d-%s", i, strings.Repeat("x", i%150))] = strings.Repeat("c", i*7)
	}
	for name, content := range files {
		at := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		if strings.HasSuffix(name, "/") {
			require.NoError(t, os.MkdirAll(at, 0o755))
			continue
		}
		require.NoError(t, os.WriteFile(at, []byte(content), 0o644))
		require.NoError(t, os.Chtimes(at, when, when))
	}
	want, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer want.Close()
	for _, tc := range []struct {
		bits, sector, cluster int
		size                  int64
	}{{12, 512, 1, 2 * mib}, {16, 512, 4, 40 * mib}, {32, 512, 1, 64 * mib}, {16, 2048, 1, 40 * mib}, {32, 4096, 1, 300 * mib}} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "image")
			require.NoError(t, os.WriteFile(image, nil, 0o644))
			require.NoError(t, os.Truncate(image, tc.size))
			run(t, "mkfs.fat", "-F", fmt.Sprint(tc.bits), "-S", fmt.Sprint(tc.sector), "-s", fmt.Sprint(tc.cluster), "-n", "MTOOLS", image)
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			for _, e := range entries {
				run(t, "mcopy", "-s", "-m", "-Q", "-i", image, filepath.Join(dir, e.Name()), "::")
			}
			r := open(t, image)
			require.Equal(t, fat.Type(tc.bits), r.Type())
			got, err := filetree.FromFS(r)
			require.NoError(t, err)
			diffs, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{Aspects: fatAspects &^ filetree.AspectModTime})
			require.NoError(t, err)
			require.Empty(t, diffs)
			label, err := r.Label()
			require.NoError(t, err)
			require.Equal(t, "MTOOLS", label)
			info, err := r.Stat("readme.txt")
			require.NoError(t, err)
			require.Equal(t, when.Truncate(2*time.Second), info.ModTime())
		})
	}
}

func TestReaderIsFS(t *testing.T) {
	files := maps.Clone(sample)
	image, _ := build(t, &fat.FileSystem{Tree: tree(t, files)}, geometry(mib))
	require.NoError(t, fstest.TestFS(open(t, image), "README", "readme.txt", "EFI/BOOT/BOOTX64.EFI", emoji, "EFI/empty"))
}

func TestReaderModes(t *testing.T) {
	tr := filetree.New()
	for path, mode := range map[string]fs.FileMode{"writable": 0o600, "read-only": 0o500} {
		_, err := tr.Add(path, filetree.Entry{Mode: mode})
		require.NoError(t, err)
	}
	image, _ := build(t, &fat.FileSystem{Tree: tr}, geometry(mib))
	r := open(t, image)
	for path, want := range map[string]fs.FileMode{"writable": 0o644, "read-only": 0o444, ".": fs.ModeDir | 0o755} {
		info, err := r.Stat(path)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode(), path)
	}
}

// Directories whose chains meet would let a small volume have any number of files.
func TestReaderRefusesDirectoriesThatMeet(t *testing.T) {
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("LARGE/%d", i)] = ""
	}
	for i := range 100 {
		files[fmt.Sprintf("D%02d/", i)] = ""
	}
	image, _ := build(t, &fat.FileSystem{Tree: tree(t, files), Type: fat.FAT16}, geometry(0))
	b, err := os.ReadFile(image)
	require.NoError(t, err)
	reserved, tableLen, roots := int(b[14])|int(b[15])<<8, int(b[22])|int(b[23])<<8, int(b[17])|int(b[18])<<8
	root := (reserved + 2*tableLen) * 512
	cluster := func(name string) int {
		at := root + strings.Index(string(b[root:root+roots*32]), name)
		return int(b[at+26]) | int(b[at+27])<<8
	}
	for i := range 100 {
		next := b[reserved*512+2*cluster(fmt.Sprintf("D%02d ", i)):]
		next[0], next[1] = byte(cluster("LARGE ")), byte(cluster("LARGE ")>>8)
	}
	r, err := fat.Open(strings.NewReader(string(b)), int64(len(b)))
	require.NoError(t, err)
	_, err = r.Info()
	require.ErrorIs(t, err, volume.ErrDamaged)
	require.ErrorContains(t, err, "directories have ")
}

// TestReaderRefuses has plain words for what makes no sense.
func TestReaderRefuses(t *testing.T) {
	image, _ := build(t, &fat.FileSystem{Tree: tree(t, map[string]string{"A/B": "b", "D/E": "e", "C": strings.Repeat("c", 9000)}), Type: fat.FAT16}, geometry(8*mib+512*1024))
	good, err := os.ReadFile(image)
	require.NoError(t, err)
	reserved, tableLen := int64(good[14])|int64(good[15])<<8, int64(good[22])|int64(good[23])<<8
	table := reserved * 512
	root := (reserved + 2*tableLen) * 512
	entry := func(name string) int64 {
		at := strings.Index(string(good[root:]), name)
		require.Positive(t, at+1)
		return root + int64(at)
	}
	c := int64(good[entry("C          ")+26])
	for _, tc := range []struct {
		name  string
		at    int64
		bytes string
		path  string
		is    error
		want  string
	}{
		{"sector size", 11, "\x00\x03", "", fat.ErrNotFAT, "sectors of 768 bytes: want 512"},
		{"cluster size", 13, "\x03", "", fat.ErrNotFAT, "clusters of 3 sectors: want a power of two"},
		{"tables", 16, "\x00", "", fat.ErrNotFAT, "0 tables of"},
		{"too many sectors", 19, "\xff\xff", "", volume.ErrDamaged, "65535 sectors of 512 bytes: want at most 17408"},
		{"short table", 22, "\x01\x00", "", volume.ErrDamaged, "has a table of 512 bytes: want at least"},
		{"chain leaves", table + 2*c, "\xf0\x7f", "C", volume.ErrDamaged, "has cluster 32752: want 2 to"},
		{"chain ends", table + 2*c, "\xff\xff", "C", volume.ErrDamaged, "file of 9000 bytes has 1 clusters"},
		{"chain circles", table + 2*c, string([]byte{byte(c), 0}), "C", volume.ErrDamaged, "comes back to cluster"},
		{"directory's chain circles", table + 4, "\x02\x00", "A/B", volume.ErrDamaged, "comes back to cluster 2"},
		{"directory twice", entry("D          ") + 26, "\x02\x00", "A/B", volume.ErrDamaged, `directory "D" is in another place, too, where it is "A"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := []byte(string(good))
			copy(b[tc.at:], tc.bytes)
			r, err := fat.Open(strings.NewReader(string(b)), int64(len(b)))
			if tc.path != "" {
				require.NoError(t, err)
				_, err = r.ReadFile(tc.path)
			}
			require.ErrorIs(t, err, tc.is)
			require.ErrorContains(t, err, tc.want)
		})
	}
}
