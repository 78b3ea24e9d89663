package iso9660_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/iso9660"
)

// hybrid builds a hybrid image and returns its name.
func hybrid(t *testing.T, boot ...iso9660.BootEntry) string {
	t.Helper()
	tr := filetree.New()
	addText(t, tr, "dir/file", "text")
	_, err := tr.Add("boot.bin", filetree.File(serialProgram(), 0o644))
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "disk")
	_, err = image.Build(t.Context(), name, image.Layout{Table: image.NoTable, Time: created, Partitions: []image.Partition{{Content: &iso9660.FileSystem{
		Tree: tr, VolumeID: "HYBRID", Boot: append([]iso9660.BootEntry{{Path: "boot.bin"}}, boot...),
		Hybrid: &iso9660.Hybrid{BootCode: serialProgram()[:432]},
	}}}}, image.Options{})
	require.NoError(t, err)
	return name
}

// TestTablesOfHybrid has partitioning tools judge the tables, of an image whose size
// the layout has chosen.
func TestTablesOfHybrid(t *testing.T) {
	name := hybrid(t, iso9660.BootEntry{Platform: iso9660.UEFI, Image: esp(t)})
	require.Contains(t, tool(t, "sgdisk", "--verify", name), "No problems found")
	out := tool(t, "sfdisk", "--verify", name)
	require.Contains(t, out, "No errors detected.")
	dump := tool(t, "sfdisk", "--dump", name)
	require.Contains(t, dump, "label: gpt\n")
	require.Regexp(t, `1 : start= +\d+, size= +\d+, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, .*name="EFI boot image"`, dump)

	d, err := image.Open(name)
	require.NoError(t, err)
	defer d.Close()
	require.Equal(t, image.GPT, d.Table)
	require.Len(t, d.Partitions, 1)
	require.Equal(t, "vfat", d.Partitions[0].Format)
	tool(t, "fsck.vfat", "-n", part(t, name, d.Partitions[0].Start, d.Partitions[0].Size))
	require.Contains(t, tool(t, "blkid", "-p", "-o", "export", name), "TYPE=iso9660\n")
	require.Contains(t, tool(t, "file", name), "ISO 9660 CD-ROM filesystem data (DOS/MBR boot sector) 'HYBRID' (bootable)")
}

func TestTablesOfHybridForBIOS(t *testing.T) {
	name := hybrid(t)
	dump := tool(t, "sfdisk", "--dump", name)
	require.Contains(t, dump, "label: dos\n")
	require.Regexp(t, `1 : start= +0, size= +2048, type=17, bootable\n$`, dump)
}

// part returns a file with a part of another.
func part(t *testing.T, name string, start, size int64) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "part")
	require.NoError(t, os.WriteFile(out, b[start:start+size], 0o644))
	return out
}

// TestXorrisoReportsBoot has the catalog, the images' places and the partitions
// told by xorriso.
func TestXorrisoReportsBoot(t *testing.T) {
	name := hybrid(t, iso9660.BootEntry{Platform: iso9660.UEFI, Image: esp(t)})
	out := tool(t, "xorriso", "-abort_on", "WARNING", "-indev", name, "-report_el_torito", "plain", "-report_system_area", "plain", "-toc")
	for _, want := range []string{
		"El Torito images   :   N  Pltf  B   Emul  Ld_seg  Hdpt  Ldsiz         LBA\n" +
			"El Torito boot img :   1  BIOS  y   none  0x0000  0x00      4          27\n" +
			"El Torito boot img :   2  UEFI  y   none  0x0000  0x00      5          25\n" +
			"El Torito img path :   1  /boot.bin\n",
		"System area summary: MBR protective-msdos-label cyl-align-off GPT\nISO image size/512 : 2048\n",
		"GPT start and size :   1  100  5\n", "ISO offers   : Rock_Ridge\n", "Volume id    : 'HYBRID'\n",
	} {
		require.Contains(t, out, want)
	}
}

// TestInfoTableIsGenisoimages compares an info table with that of genisoimage, but for
// where the file is.
func TestInfoTableIsGenisoimages(t *testing.T) {
	dir := t.TempDir()
	content := sample.Pattern(5003)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "boot.bin"), content, 0o644))
	peer := filepath.Join(t.TempDir(), "peer.iso")
	tool(t, "genisoimage", "-quiet", "-R", "-b", "boot.bin", "-no-emul-boot", "-boot-info-table", "-o", peer, dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "boot.bin"), content, 0o644)) // genisoimage writes to its source
	tr, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer tr.Close()
	name := write(t, &iso9660.FileSystem{Tree: tr, Boot: []iso9660.BootEntry{{Path: "boot.bin", InfoTable: true}}}, 0)
	want, got := tool(t, "isoinfo", "-R", "-x", "/boot.bin", "-i", peer), tool(t, "isoinfo", "-R", "-x", "/boot.bin", "-i", name)
	require.Len(t, got, len(content))
	require.Equal(t, want[:12]+want[16:], got[:12]+got[16:])
}
