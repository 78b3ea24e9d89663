package image_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
)

// smallTree returns a tree with a little of everything that FAT can hold.
func smallTree(t *testing.T) *filetree.Tree {
	t.Helper()
	tree := filetree.New()
	for name, content := range map[string]string{
		"EFI/BOOT/BOOTX64.EFI":            strings.Repeat("boot", 10000),
		"loader/entries/a long name.conf": "title drivebay\n",
		"empty":                           "",
	} {
		_, err := tree.Add(name, filetree.File([]byte(content), 0o644))
		require.NoError(t, err)
	}
	return tree
}

// withLink adds what FAT cannot hold and go-diskfs can tell.
func withLink(t *testing.T, tree *filetree.Tree) *filetree.Tree {
	t.Helper()
	for name, target := range map[string]string{"link": "EFI/BOOT", "long": strings.Repeat("long/", 40)} {
		_, err := tree.Add(name, filetree.Symlink(target))
		require.NoError(t, err)
	}
	return tree
}

// TestToolsAgree has the tools of the field look at disks of every kind, attached
// as the kernel sees them.
func TestToolsAgree(t *testing.T) {
	for _, table := range []image.Table{image.GPT, image.MBR} {
		for _, sector := range []int{512, 4096} {
			t.Run(fmt.Sprintf("%s/%d", table, sector), func(t *testing.T) {
				esp, root := image.ESP, image.LinuxGeneric
				d := fixture.Disk(t, image.Layout{Table: table, SectorSize: sector, Partitions: []image.Partition{
					{Name: "esp", Type: esp, Size: 300 * mib, Content: &fat.FileSystem{Tree: smallTree(t), Label: "ESP"}},
					{Name: "root", Type: root, Content: &ext4.FileSystem{Tree: smallTree(t), Label: "root"}},
				}})
				require.Contains(t, run(t, "sfdisk", "--verify", d.Path()), "No errors")
				if table == image.GPT {
					require.Contains(t, run(t, "sgdisk", "-v", d.Path()), "No problems found")
				}
				run(t, "fsck.vfat", "-n", d.Partition(1).Path())
				run(t, "fsck.ext4", "-fn", d.Partition(2).Path())
				for i, p := range d.Plan().Partitions {
					out := run(t, "blkid", "-p", "-o", "export", d.Partition(i+1).Path())
					require.Contains(t, out, "UUID="+p.Volume.UUID+"\n")
					require.Contains(t, out, "LABEL="+p.Volume.Label+"\n")
					require.Contains(t, out, "TYPE="+p.Volume.Format+"\n")
				}
			})
		}
	}
}

func TestOpen(t *testing.T) {
	for _, tc := range []struct {
		table  image.Table
		sector int
	}{{image.GPT, 512}, {image.GPT, 4096}, {image.MBR, 512}} {
		t.Run(fmt.Sprintf("%s/%d", tc.table, tc.sector), func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "disk")
			tree := smallTree(t)
			p, err := image.Build(t.Context(), name, image.Layout{Table: tc.table, SectorSize: tc.sector, Partitions: []image.Partition{
				{Type: image.ESP, Size: 300 * mib, Content: &fat.FileSystem{Tree: tree, Label: "ESP"}, Attributes: image.LegacyBoot},
				{Type: image.LinuxGeneric, Content: &ext4.FileSystem{Tree: withLink(t, smallTree(t)), Label: "root"}},
			}}, image.Options{})
			require.NoError(t, err)
			d, err := image.Open(name)
			require.NoError(t, err)
			defer d.Close()

			require.Equal(t, tc.table, d.Table)
			require.Equal(t, tc.sector, d.SectorSize)
			require.Equal(t, p.Size, d.Size)
			require.Len(t, d.Partitions, 2)
			for i, want := range p.Partitions {
				got := d.Partitions[i]
				require.Equal(t, []any{want.Number, want.Start, want.Size, want.Attributes, want.Volume.Format, want.Volume.Label, want.Volume.UUID},
					[]any{got.Number, got.Start, got.Size, got.Attributes, got.Format, got.Label, got.UUID})
				if tc.table == image.GPT {
					require.Equal(t, []any{want.Type, want.ID.String()}, []any{got.Type, got.ID})
				}
				if want.Volume.Format == "ext4" {
					tree = withLink(t, smallTree(t))
				}
				requireFiles(t, d, want.Number, tree)
			}
		})
	}
}

// requireFiles wants the files of a partition to be those of the tree.
func requireFiles(t *testing.T, d *image.Disk, number int, want *filetree.Tree) {
	t.Helper()
	files, err := d.FS(number)
	require.NoError(t, err)
	got, err := filetree.FromFS(files)
	require.NoError(t, err)
	aspects := filetree.DefaultAspects
	if _, ok := files.(*fat.Reader); ok {
		aspects &^= filetree.AspectMode | filetree.AspectOwner | filetree.AspectModTime
	}
	diff, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{
		Aspects: aspects,
		Skip:    func(path string) bool { return path == "lost+found" },
	})
	require.NoError(t, err)
	require.Empty(t, diff)
}

func TestOpenTakesTheBackupTable(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk")
	_, err := image.Build(t.Context(), name, image.Layout{Partitions: []image.Partition{{Name: "p", Size: mib}}}, image.Options{})
	require.NoError(t, err)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte{1}, 1024+56) // in the name of the first partition
	require.NoError(t, err)
	d, err := image.Open(name)
	require.NoError(t, err)
	defer d.Close()
	require.True(t, d.Recovered)
	require.Equal(t, "p", d.Partitions[0].Name)
}

func TestOpenWholeDisk(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk")
	_, err := image.Build(t.Context(), name, image.Layout{Table: image.NoTable, Size: 8 * mib, Partitions: []image.Partition{
		{Content: &fat.FileSystem{Tree: smallTree(t), Label: "STICK"}},
	}}, image.Options{})
	require.NoError(t, err)
	run(t, "fsck.vfat", "-n", name)
	d, err := image.Open(name)
	require.NoError(t, err)
	defer d.Close()
	require.Equal(t, image.NoTable, d.Table)
	require.Equal(t, "vfat", d.Partitions[0].Format)
	require.Equal(t, "STICK", d.Partitions[0].Label)
	requireFiles(t, d, 0, smallTree(t))
	_, err = d.FS(1)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		name    string
		content []byte
		want    error
	}{
		{"empty", nil, image.ErrNoTable},
		{"zeros", make([]byte, mib), image.ErrNoTable},
		{"short", []byte("x"), image.ErrNoTable},
	} {
		require.NoError(t, os.WriteFile(dir+"/f", tc.content, 0o644))
		_, err := image.Open(dir + "/f")
		require.ErrorIs(t, err, tc.want, tc.name)
	}
	_, err := image.Open(dir + "/missing")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestProtectiveMBRFromTwoTiB holds what go-diskfs 1.9.4 truncates to 0x7fffffff:
// the protective entry of a disk that is larger than it can say.
func TestProtectiveMBRFromTwoTiB(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk")
	_, err := image.Build(t.Context(), name, image.Layout{Size: 3 * image.TiB, Partitions: []image.Partition{{Weight: 1}}}, image.Options{})
	require.NoError(t, err)
	require.Contains(t, run(t, "sgdisk", "-v", name), "No problems found")
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	size, err := io.ReadAll(io.NewSectionReader(f, 446+12, 4))
	require.NoError(t, err)
	require.Equal(t, []byte{0xff, 0xff, 0xff, 0xff}, size)
}

// FuzzOpen changes bytes of good disks: each three of the input are a place, in
// the parts that are parsed, and a value.
func FuzzOpen(f *testing.F) {
	var disks [][]byte
	for _, l := range []image.Layout{
		{Partitions: []image.Partition{{Start: 32 * kib, Size: 64 * kib, Content: &fat.FileSystem{Tree: smallFiles(f)}}}, Size: 128 * kib},
		{Table: image.MBR, Partitions: []image.Partition{{Start: 4 * kib, Size: 64 * kib, Content: &fat.FileSystem{}}}, Size: 128 * kib},
		{Table: image.NoTable, Partitions: []image.Partition{{Content: &ext4.FileSystem{Tree: smallFiles(f), JournalSize: ext4.None}}}, Size: 256 * kib},
	} {
		p, err := l.Plan(f.Context())
		require.NoError(f, err)
		var b bytes.Buffer
		_, err = p.WriteTo(&b)
		require.NoError(f, err)
		disks = append(disks, b.Bytes())
		f.Add(uint8(len(disks)-1), []byte{})
		f.Add(uint8(len(disks)-1), []byte{2, 80, 1, 0, 11, 0xff})
	}
	f.Fuzz(func(t *testing.T, which uint8, changes []byte) {
		b := bytes.Clone(disks[int(which)%len(disks)])
		for ; len(changes) >= 3; changes = changes[3:] {
			b[int(changes[0])<<8|int(changes[1])] = changes[2]
		}
		d, err := image.OpenReaderAt(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for _, p := range d.Partitions {
			if p.Start < 0 || p.Size < 0 || p.Start+p.Size > d.Size && len(d.Notes) == 0 {
				t.Errorf("partition %+v is not in the disk of %d bytes", p, d.Size)
			}
			if files, err := d.FS(p.Number); err == nil {
				_, _ = filetree.FromFS(files)
			}
		}
		_ = d.Measure()
		_ = d.String()
	})
}

// smallFiles returns a tree for a disk of a few blocks.
func smallFiles(tb testing.TB) *filetree.Tree {
	tree := filetree.New()
	_, err := tree.Add("dir/a long name", filetree.File([]byte("text"), 0o644))
	require.NoError(tb, err)
	return tree
}
