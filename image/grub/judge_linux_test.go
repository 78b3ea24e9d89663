package grub_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/grub"
)

// Debian's package grub-pc-bin.
const (
	bootImage = "/usr/lib/grub/i386-pc/boot.img"
	biosSetup = "/usr/lib/grub/i386-pc/grub-bios-setup"
)

// TestGRUBBIOSSetup installs GRUB with its own program, on a disk that is attached
// and mounted, and compares every byte with what is planned.
func TestGRUBBIOSSetup(t *testing.T) {
	fixture.RequireRoot(t)
	fixture.RequireFS(t, "ext4")
	fixture.RequireTool(t, "grub-mkimage", "mount", "umount")
	fixture.RequireFile(t, bootImage, biosSetup)
	core := mkimage(t)
	boot, err := os.ReadFile(bootImage)
	require.NoError(t, err)
	for _, tc := range []struct {
		name    string
		layout  image.Layout
		install func(l *image.Layout)
		root    int // the number of the partition with the files
	}{
		{
			name:   "GPT",
			layout: image.Layout{Partitions: []image.Partition{{Name: "root"}, {Name: "bios", Type: image.BIOSBoot, Size: image.MiB}}},
			install: func(l *image.Layout) {
				l.Partitions[1].Content = grub.Core{Image: core}
				l.Blobs = []image.Blob{{Locate: grub.BootCode{Image: boot}.Locate}}
			},
			root: 1,
		},
		{
			name:   "MBR",
			layout: image.Layout{Table: image.MBR, Partitions: []image.Partition{{}}},
			install: func(l *image.Layout) {
				l.Blobs = []image.Blob{
					{Offset: 512, Content: grub.Core{Image: core}},
					{Locate: grub.BootCode{Image: boot, CoreOffset: 512}.Locate},
				}
			},
			root: 1,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree := filetree.New()
			for name, content := range map[string][]byte{"grub/boot.img": boot, "grub/core.img": core, "grub/device.map": nil} {
				_, err := tree.Add(name, filetree.File(content, 0o644))
				require.NoError(t, err)
			}
			root := &tc.layout.Partitions[tc.root-1]
			root.Size, root.Content = 16*image.MiB, &ext4.FileSystem{Tree: tree}
			theirs := fixture.Disk(t, tc.layout)
			setUp(t, theirs, tc.root)
			require.Equal(t, boot[:3], readAt(t, theirs, 0, 3), "grub-bios-setup has installed something")

			tc.install(&tc.layout)
			ours := fixture.Disk(t, tc.layout)
			part := ours.Plan().Partitions[tc.root-1]
			for _, at := range [][2]int64{{0, part.Start}, {part.End(), ours.Plan().Size - part.End()}} {
				want, got := readAt(t, theirs, at[0], at[1]), readAt(t, ours, at[0], at[1])
				for sector := range len(want) / 512 {
					require.Equal(t, want[sector*512:][:512], got[sector*512:][:512], "the sector at %d", at[0]+int64(sector)*512)
				}
			}
		})
	}
}

// mkimage makes a core image.
func mkimage(t *testing.T) []byte {
	name := filepath.Join(t.TempDir(), "core.img")
	run(t, "grub-mkimage", "-O", "i386-pc", "-p", "/grub", "-o", name, "biosdisk", "part_gpt", "part_msdos", "ext2")
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return b
}

// setUp runs grub-bios-setup on the disk that holds GRUB's files in a partition.
func setUp(t *testing.T, d *fixture.AttachedDisk, partition int) {
	dir := t.TempDir()
	run(t, "mount", d.Partition(partition).Path(), dir)
	defer run(t, "umount", dir)
	files := filepath.Join(dir, "grub")
	devices := filepath.Join(files, "device.map")
	require.NoError(t, os.WriteFile(devices, []byte("(hd0) "+d.Path()+"\n"), 0o644))
	run(t, biosSetup, "--skip-fs-probe", "--no-rs-codes", "-d", files, "-m", devices, d.Path())
}

// readAt reads of a disk.
func readAt(t *testing.T, d *fixture.AttachedDisk, offset, size int64) []byte {
	f, err := os.Open(d.Path())
	require.NoError(t, err)
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, offset, size))
	require.NoError(t, err)
	return b
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
}
