package main

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
)

// TestEndToEnd builds a disk from sources of every kind, a directory, a compressed
// archive, a layer over it and files made here, and has it judged by the tools of
// the field and file by file.
func TestEndToEnd(t *testing.T) {
	dir := t.TempDir()
	spec := filepath.Join(dir, "disk.yaml")
	b, err := os.ReadFile("../../spec/testdata/issue.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(spec, b, 0o644))
	for name, content := range map[string]string{
		"esp/EFI/BOOT/BOOTX64.EFI": "a boot loader", "overlay/issue": "drivebay \\n \\l", "overlay/issue.bak": "older",
	} {
		name = filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
	}
	writeRootfs(t, filepath.Join(dir, "rootfs.tar.zst"))

	name := filepath.Join(dir, "disk.img")
	_, _, err = mkimage(t, "build", spec, "-o", name)
	require.NoError(t, err)
	for _, args := range [][]string{{"verify", name, spec}, {"verify", name, spec, "--files"}} {
		out, _, err := mkimage(t, args...)
		require.NoError(t, err, out)
	}
	require.Contains(t, runTool(t, fixture.RequireTool(t, "sgdisk"), "-v", name), "No problems found")
	d, err := image.Open(name)
	require.NoError(t, err)
	defer d.Close()
	for number, fsck := range map[int][]string{1: {"fsck.vfat", "-n"}, 2: {"e2fsck", "-fn"}} {
		part := filepath.Join(dir, fsck[0])
		s, err := d.Section(number)
		require.NoError(t, err)
		f, err := os.Create(part)
		require.NoError(t, err)
		_, err = io.Copy(f, s)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		runTool(t, fixture.RequireTool(t, fsck[0]), fsck[1], part)
	}
	out, _, err := mkimage(t, "inspect", name, "--files")
	require.NoError(t, err)
	for _, line := range []string{
		"-rwsr-xr-x     0     0            4  2001-09-09T01:46:40Z  usr/bin/su\n",
		"-rw-r-----     0    42            4  2001-09-09T01:46:40Z  etc/shadow\n",
		"bin -> usr/bin\n",
		"  etc/hostname\n", "  etc/issue\n", "  var/empty\n",
	} {
		require.Contains(t, out, line)
	}
	require.NotContains(t, out, "issue.bak")
}

// writeRootfs writes an archive of a small root file system.
func writeRootfs(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	z, err := zstd.NewWriter(f)
	require.NoError(t, err)
	w := tar.NewWriter(z)
	for _, h := range []tar.Header{
		{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./etc/shadow", Typeflag: tar.TypeReg, Mode: 0o640, Gid: 42, Size: 4},
		{Name: "./usr/bin/su", Typeflag: tar.TypeReg, Mode: 0o4755, Size: 4},
		{Name: "./usr/bin/sudo", Typeflag: tar.TypeLink, Linkname: "./usr/bin/su"},
		{Name: "./dev/null", Typeflag: tar.TypeChar, Mode: 0o666, Devmajor: 1, Devminor: 3},
	} {
		h.ModTime = time.Unix(1e9, 0)
		require.NoError(t, w.WriteHeader(&h))
		if h.Size > 0 {
			_, err := w.Write([]byte("root"))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
}
