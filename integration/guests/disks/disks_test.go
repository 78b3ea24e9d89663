package disks

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
)

func TestMain(m *testing.M) { fixture.Main(m) }

// sources returns a tree of files whose names and sizes are awkward.
func sources(t *testing.T) *filetree.Tree {
	when := time.Date(2024, 2, 29, 12, 30, 58, 0, time.UTC) // FAT has times of 2 seconds
	files := fstest.MapFS{
		"EFI/BOOT/BOOTX64.EFI":           {Data: []byte("MZ")},
		"empty":                          {},
		"a name longer than 8.3.text":    {Data: []byte("long")},
		"grüße, 世界.txt":                  {Data: []byte("unicode")},
		strings.Repeat("n", 255):         {Data: []byte("longest")},
		"deep/1/2/3/4/5/6/7/8/9/10/file": {Data: []byte("deep")},
		"exactly-a-block":                {Data: []byte(strings.Repeat("x", 4096))},
		"large":                          {Data: []byte(strings.Repeat("0123456789abcde\n", 200_000))},
	}
	for i := range 700 { // a directory of many clusters
		files[fmt.Sprintf("many/file-%03d-with-a-long-name", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "%d", i)}
	}
	for name, f := range maps.Clone(files) {
		f.Mode, f.ModTime = 0o755, when
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			files[dir] = &fstest.MapFile{Mode: fs.ModeDir | 0o755, ModTime: when}
		}
	}
	tree, err := filetree.FromFS(files)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tree.Close()) })
	return tree
}

// TestKernelReadsWhatWasBuilt mounts the vfat and the ext4 of a disk, and compares
// every name and byte with what they were built from.
func TestKernelReadsWhatWasBuilt(t *testing.T) {
	fixture.RequireFS(t, "vfat")
	fixture.RequireFS(t, "ext4")
	want := sources(t)
	for _, table := range []image.Table{image.GPT, image.MBR} {
		for _, sector := range []int{512, 4096} {
			t.Run(fmt.Sprintf("%v, sectors of %d", table, sector), func(t *testing.T) {
				d := fixture.Disk(t, image.Layout{Table: table, SectorSize: sector, Partitions: []image.Partition{
					{Name: "esp", Type: image.ESP, Size: 300 * image.MiB, Content: &fat.FileSystem{Tree: want, Label: "ESP"}},
					{Name: "root", Type: image.Root, Size: 64 * image.MiB, Content: &ext4.FileSystem{Tree: want, Label: "root"}},
				}})
				kernelsOwn(t, d)
				for number, options := range map[int]filetree.DiffOptions{
					1: {Aspects: filetree.AspectName | filetree.AspectType | filetree.AspectModTime | filetree.AspectSize | filetree.AspectContent, TimeResolution: 2 * time.Second},
					2: {Skip: func(path string) bool { return path == "lost+found" }},
				} {
					got, err := filetree.FromDir(d.Mount(number, fixture.ReadOnly()).Path())
					require.NoError(t, err)
					diff, err := filetree.Diff(t.Context(), want, got, options)
					require.NoError(t, errors.Join(err, got.Close()))
					require.Empty(t, diff, "partition %d", number)
				}
			})
		}
	}
}

// kernelsOwn wants the partitions to be where the plan has them in the kernel's
// view, which has read the table itself.
func kernelsOwn(t *testing.T, d *fixture.AttachedDisk) {
	for i, p := range d.Plan().Partitions {
		name := filepath.Base(d.Partition(i + 1).Path())
		for file, want := range map[string]int64{"start": p.Start / 512, "size": p.Size / 512} {
			b, err := os.ReadFile(filepath.Join("/sys/class/block", name, file))
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(want), strings.TrimSpace(string(b)), "%s of %s", file, name)
		}
	}
}

// TestKernelWritesToWhatWasBuilt goes on where the writer ended.
func TestKernelWritesToWhatWasBuilt(t *testing.T) {
	fixture.RequireFS(t, "vfat")
	d := fixture.Disk(t, image.Layout{Partitions: []image.Partition{
		{Name: "esp", Type: image.ESP, Size: 64 * image.MiB, Content: &fat.FileSystem{Tree: sources(t)}},
	}})
	m := d.Mount(1)
	content := []byte(strings.Repeat("new ", 100_000))
	require.NoError(t, os.WriteFile(m.Path()+"/many/new", content, 0o644))
	require.NoError(t, os.RemoveAll(m.Path()+"/deep"))
	require.NoError(t, m.Close())
	m = d.Mount(1, fixture.ReadOnly())
	got, err := os.ReadFile(m.Path() + "/many/new")
	require.NoError(t, err)
	require.Equal(t, content, got)
	require.NoDirExists(t, m.Path()+"/deep")
}
