package image_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
)

// TestOpenNotes has every fault of a table told, and sgdisk agree that it is one.
func TestOpenNotes(t *testing.T) {
	const last = 3*mib/512 - 1
	poke := func(offset int64) func(t *testing.T, f *os.File) {
		return func(t *testing.T, f *os.File) {
			_, err := f.WriteAt([]byte{0x55}, offset)
			require.NoError(t, err)
		}
	}
	resize := func(size int64) func(t *testing.T, f *os.File) {
		return func(t *testing.T, f *os.File) { require.NoError(t, f.Truncate(size)) }
	}
	for _, tc := range []struct {
		name      string
		spoil     func(t *testing.T, f *os.File)
		recovered bool
		want      []string
	}{
		{"primary header", poke(512 + 60), true, []string{"the primary partition table is damaged: its header has the checksum 0x********: want 0x********; this is the backup"}},
		{"primary entries", poke(1024 + 60), true, []string{"the primary partition table is damaged: its entries have the checksum 0x********: want 0x********; this is the backup"}},
		{"primary signature", poke(512), true, []string{"the primary partition table is damaged: it has no signature; this is the backup"}},
		{"backup header", poke(last*512 + 60), false, []string{"the backup partition table at LBA 6143 is damaged: its header has the checksum 0x********: want 0x********"}},
		{"backup entries", poke((last - 32) * 512), false, []string{"the backup partition table at LBA 6143 is damaged: its entries have the checksum 0x********: want 0x********"}},
		{"backup signature", poke(last * 512), false, []string{"the backup partition table at LBA 6143 is damaged: it has no signature"}},
		{"grown", resize(5 * mib), false, []string{"the backup partition table is at LBA 6143, and the disk ends at LBA 10239: it has grown"}},
		{"cut short", resize(2*mib + 512), false, []string{"the backup partition table should be at LBA 6143, and the disk ends at LBA 4096: it has been cut short"}},
		{"cut in a partition", resize(mib + 4096), false, []string{
			"the backup partition table should be at LBA 6143, and the disk ends at LBA 2055: it has been cut short",
			"partition 1 of 1048576 bytes at 1048576 reaches past the disk's end at 1052672"}},
		{"no protection", poke(446 + 4), false, []string{"entry 1 of the MBR, of type 0x55, is of no partition: 6143 sectors at LBA 1", "the MBR has no entry that protects the GPT, of type 0xee"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "disk")
			_, err := image.Build(t.Context(), name, image.Layout{Partitions: []image.Partition{{Name: "p", Size: mib}}}, image.Options{})
			require.NoError(t, err)
			require.Empty(t, notes(t, name, false))
			f, err := os.OpenFile(name, os.O_RDWR, 0)
			require.NoError(t, err)
			defer f.Close()
			tc.spoil(t, f)
			require.Equal(t, tc.want, notes(t, name, tc.recovered))
			require.Regexp(t, "Caution|Warning|Problem", run(t, "sh", "-c", "sgdisk -v "+name+" 2>&1; true"))
		})
	}
}

// checksums are the numbers that nobody can guess.
var checksums = regexp.MustCompile(`0x[0-9a-f]{8}`)

// notes opens a disk and returns its notes, without checksums.
func notes(t *testing.T, name string, recovered bool) (list []string) {
	t.Helper()
	d, err := image.Open(name)
	require.NoError(t, err)
	defer d.Close()
	require.Equal(t, recovered, d.Recovered)
	require.Equal(t, "p", d.Partitions[0].Name)
	for _, n := range d.Notes {
		list = append(list, checksums.ReplaceAllString(n, "0x********"))
	}
	return list
}

func TestOpenRefusesTwoDamagedTables(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk")
	_, err := image.Build(t.Context(), name, image.Layout{Partitions: []image.Partition{{Size: mib}}}, image.Options{})
	require.NoError(t, err)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	for _, at := range []int64{512 + 60, 3*mib - 512} {
		_, err := f.WriteAt([]byte{1}, at)
		require.NoError(t, err)
	}
	_, err = image.Open(name)
	require.ErrorContains(t, err, "GPT header at LBA 1: its header has the checksum")
	require.ErrorContains(t, err, "backup at LBA 6143: it has no signature")
}

func TestOpenHybrid(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk")
	p, err := image.Build(t.Context(), name, image.Layout{Partitions: []image.Partition{
		{Name: "one", Size: mib}, {Name: "two", Size: mib, HybridType: "0x0c"},
	}}, image.Options{})
	require.NoError(t, err)
	d, err := image.Open(name)
	require.NoError(t, err)
	defer d.Close()
	require.Empty(t, d.Notes)
	require.Equal(t, []image.Type{"", "0x0c"}, []image.Type{d.Partitions[0].HybridType, d.Partitions[1].HybridType})
	const line = "partition 2 is in the hybrid MBR, too, as 0x0c\n"
	require.Contains(t, d.String(), line)
	require.Contains(t, p.String(), line)
	require.Regexp(t, `type=c\b`, run(t, "sfdisk", "--label-nested", "dos", "-d", name))
}
