package disks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
)

// TestReaderReadsWhatTheKernelWrote has the kernel change file systems, and compares
// what [fat.Open] finds on the device with what the kernel finds when it mounts it
// again.
func TestReaderReadsWhatTheKernelWrote(t *testing.T) {
	fixture.RequireFS(t, "vfat")
	for _, tc := range []struct {
		typ    fat.Type
		size   int64
		sector int
	}{{fat.FAT12, 7, 512}, {fat.FAT16, 32, 512}, {fat.FAT32, 64, 512}, {fat.FAT16, 64, 4096}} {
		t.Run(fmt.Sprintf("%v, sectors of %d", tc.typ, tc.sector), func(t *testing.T) {
			d := fixture.Disk(t, image.Layout{SectorSize: tc.sector, Partitions: []image.Partition{
				{Name: "esp", Type: image.ESP, Size: tc.size * image.MiB, Content: &fat.FileSystem{Tree: sources(t), Type: tc.typ}},
			}})
			m := d.Mount(1)
			kernelWrites(t, m.Path())
			require.NoError(t, m.Close())

			want, err := filetree.FromDir(d.Mount(1, fixture.ReadOnly()).Path())
			require.NoError(t, err)
			defer want.Close()
			f, err := os.Open(d.Partition(1).Path())
			require.NoError(t, err)
			defer f.Close()
			size, err := f.Seek(0, io.SeekEnd)
			require.NoError(t, err)
			r, err := fat.Open(f, size)
			require.NoError(t, err)
			require.Equal(t, tc.typ, r.Type())
			got, err := r.Tree()
			require.NoError(t, err)
			diff, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{
				Aspects:        filetree.AspectName | filetree.AspectType | filetree.AspectModTime | filetree.AspectSize | filetree.AspectContent,
				Skip:           func(path string) bool { return path == "." }, // FAT has no entry for it
				TimeResolution: 2 * time.Second,
			})
			require.NoError(t, errors.Join(err, got.Close()))
			require.Empty(t, diff)
		})
	}
}

// kernelWrites changes a file system in ways that a writer in one pass does not:
// chains in pieces, entries that are not in use, names in all kinds of letters.
func kernelWrites(t *testing.T, dir string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	for i := 0; i < 700; i += 2 {
		require.NoError(t, os.Remove(at(fmt.Sprintf("many/file-%03d-with-a-long-name", i))))
	}
	require.NoError(t, os.Remove(at("large")))
	for i, name := range []string{"UPPER.TXT", "lower.txt", "Mixed.Txt", "UPPER.low", "lower.UP", "no-extension", ".hidden", "two.dots.in", "ÄÖÜ.txt", "日本語", strings.Repeat("k", 200)} {
		require.NoError(t, os.WriteFile(at("many/"+name), []byte(strings.Repeat(name, i*100)), 0o644))
		when := time.Date(1980+i*9, 1, 1, 0, 0, 0, 0, time.UTC)
		require.NoError(t, os.Chtimes(at("many/"+name), when, when))
	}
	f, err := os.OpenFile(at("grown"), os.O_CREATE|os.O_RDWR, 0o644)
	require.NoError(t, err)
	for i := range 100 { // it and the other one get clusters in turn
		_, err := f.Write([]byte(strings.Repeat(fmt.Sprintf("%07d\n", i), 500)))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(at(fmt.Sprintf("many/between-%d", i)), []byte{byte(i)}, 0o644))
	}
	require.NoError(t, f.Truncate(300_001))
	require.NoError(t, f.Close())
	require.NoError(t, os.Rename(at("deep/1/2"), at("moved")))
	require.NoError(t, os.RemoveAll(at("EFI")))
}
