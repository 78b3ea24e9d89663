package fat_test

import (
	"crypto/sha256"
	"fmt"
	gobuild "go/build"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"

	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/fat12"
	"github.com/diskfs/go-diskfs/filesystem/fat16"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/volume"
)

// geometries are volumes of each type.
var geometries = map[string]struct {
	typ  fat.Type
	size int64
}{
	"FAT12": {fat.FAT12, 3 * mib},
	"FAT16": {fat.FAT16, 20 * mib},
	"FAT32": {fat.FAT32, 60 * mib},
}

// readAll returns the content of all files of a file system. A directory is a
// path with a slash at its end.
func readAll(t *testing.T, fsys fs.FS) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == "." {
			return err
		}
		if d.IsDir() {
			files[p+"/"] = ""
			return nil
		}
		b, err := fs.ReadFile(fsys, p)
		files[p] = brief(string(b))
		return err
	}))
	return files
}

// brief stands for a content that nobody wants to read in a test's output.
func brief(content string) string {
	if len(content) < 100 {
		return content
	}
	return fmt.Sprintf("%d bytes, %x", len(content), sha256.Sum256([]byte(content)))
}

// withParents adds the directories above the files.
func withParents(files map[string]string) map[string]string {
	all := map[string]string{}
	for p, content := range files {
		all[p] = brief(content)
		for dir := path.Dir(strings.TrimSuffix(p, "/")); dir != "."; dir = path.Dir(dir) {
			all[dir+"/"] = ""
		}
	}
	return all
}

func TestMtoolsReadsBack(t *testing.T) {
	for name, tc := range geometries {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(sample)
			delete(files, emoji) // mtools knows no surrogates
			img, _ := build(t, &fat.FileSystem{Tree: tree(t, files), Type: tc.typ}, geometry(tc.size))
			require.Contains(t, run(t, "minfo", "-i", img, "::"), `disk type="`+name+"   \"")
			dir := t.TempDir()
			run(t, "mcopy", "-s", "-m", "-Q", "-i", img, "::*", dir)
			require.Equal(t, withParents(files), readAll(t, os.DirFS(dir)))
			info, err := os.Stat(dir + "/readme.txt")
			require.NoError(t, err)
			require.Equal(t, "2024-02-29 12:34:56", info.ModTime().UTC().Format("2006-01-02 15:04:05")) // of :57.89
			require.Equal(t, brief(sample["EFI/BOOT/BOOTX64.EFI"]), brief(run(t, "mtype", "-i", img, "::/efi/boot/bootx64.efi")))
			require.Equal(t, sample["a name that is long.configuration"], run(t, "mtype", "-i", img, "::/ANAMET~2.CON"))
		})
	}
}

// A real tree on the smallest volume for it comes back byte by byte.
func TestRealTree(t *testing.T) {
	src := filepath.Join(gobuild.Default.GOROOT, "src", "net")
	if _, err := os.Stat(src); err != nil {
		t.Skipf("needs the sources of Go: %v", err)
	}
	tr, err := filetree.FromDir(src)
	require.NoError(t, err)
	for _, sector := range []int{512, 4096} {
		img, info := build(t, &fat.FileSystem{Tree: tr}, volume.Geometry{SectorSize: sector})
		require.Equal(t, info.Size, info.Used, "the smallest is full")
		fsck(t, img)
		dir := t.TempDir()
		run(t, "mcopy", "-s", "-m", "-Q", "-i", img, "::*", dir)
		require.Equal(t, readAll(t, os.DirFS(src)), readAll(t, os.DirFS(dir)))
	}
}

// diskfs opens a file system by go-diskfs.
func diskfs(t *testing.T, typ fat.Type, img string, size int64) (fsys filesystem.FileSystem) {
	t.Helper()
	storage, err := file.OpenFromPath(img, true)
	require.NoError(t, err)
	t.Cleanup(func() { _ = storage.Close() })
	switch typ {
	case fat.FAT12:
		fsys, err = fat12.Read(storage, size, 0, 512)
	case fat.FAT16:
		fsys, err = fat16.Read(storage, size, 0, 512)
	default:
		fsys, err = fat32.Read(storage, size, 0, 512)
	}
	require.NoError(t, err)
	return fsys
}

// go-diskfs 1.9.4 cannot open an empty file, to which no cluster belongs
// (fatgen103, DIR_FstClusLO). When this fails, the library has been mended: the
// other tests need no exception any more.
func TestGoDiskfsOpensNoEmptyFile(t *testing.T) {
	img, _ := build(t, &fat.FileSystem{Tree: tree(t, map[string]string{"EMPTY": ""})}, geometry(mib))
	_, err := fs.ReadFile(diskfs(t, fat.FAT12, img, mib), "EMPTY")
	require.ErrorContains(t, err, "invalid start cluster: 0")
}

func TestGoDiskfsReadsBack(t *testing.T) {
	files := maps.Clone(sample)
	delete(files, emoji)     // taken apart at each surrogate
	delete(files, ".hidden") // see TestGoDiskfsOpensNoEmptyFile
	for name, tc := range geometries {
		t.Run(name, func(t *testing.T) {
			img, _ := build(t, &fat.FileSystem{Tree: tree(t, files), Label: "DRIVEBAY", Type: tc.typ}, geometry(tc.size))
			fsys := diskfs(t, tc.typ, img, tc.size)
			require.Equal(t, withParents(files), readAll(t, fsys))
			require.Equal(t, "DRIVEBAY", strings.TrimSpace(fsys.Label()))
		})
	}
}

func TestBlkid(t *testing.T) {
	for name, tc := range geometries {
		t.Run(name, func(t *testing.T) {
			img, info := build(t, &fat.FileSystem{Label: "Drive bay", ID: 0x12ab34cd, Type: tc.typ}, geometry(tc.size))
			require.Equal(t, "12AB-34CD", info.UUID)
			out := run(t, "blkid", "-p", "-o", "export", img)
			for _, want := range []string{
				"LABEL=Drive\\ bay\n", "LABEL_FATBOOT=Drive\\ bay\n", "UUID=12AB-34CD\n", "VERSION=" + name + "\n", "TYPE=vfat\n", "BLOCK_SIZE=512\n",
			} {
				require.Contains(t, out, want)
			}
			require.Contains(t, run(t, "file", img), "hidden sectors 2048")
		})
	}
}
