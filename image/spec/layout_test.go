package spec

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/mkfs"
	"github.com/drivebay/drivebay/image/squashfs"
	"github.com/drivebay/drivebay/image/swap"
)

// epoch is the time of the files of these tests.
var epoch = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// writeFiles writes files into a directory. A name that ends with a slash is a
// directory.
func writeFiles(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, name := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		if strings.HasSuffix(name, "/") {
			require.NoError(t, os.Mkdir(path, 0o755))
			continue
		}
		require.NoError(t, os.WriteFile(path, []byte("content of "+name), 0o644))
	}
}

// layout returns the layout of a spec whose sources are in dir.
func layout(t *testing.T, dir, yaml string) *Layout {
	t.Helper()
	s, err := Parse("disk.yaml", strings.NewReader(yaml), dir)
	require.NoError(t, err)
	l, err := s.Layout(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func TestLayout(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, "boot.img")
	t.Setenv("SOURCE_DATE_EPOCH", fmt.Sprint(epoch.Unix()))
	l := layout(t, dir, `
table: gpt
sector-size: 4096
size: 1GiB
align: 2MiB
seed: 8f1c2c3e-0000-4000-8000-000000000001
id: 8f1c2c3e-0000-4000-8000-000000000002
partitions:
- name: a
  type: esp
  id: 8f1c2c3e-0000-4000-8000-000000000003
  start: 4MiB
  size: {min: 10MiB, max: 60MiB}
  free: 10%+1MiB
  weight: 3
  attributes: [legacy-boot, no-auto]
  hybrid-type: 0x0c
  content: {format: vfat, label: A, volume-id: 1234-abcd, fat-type: 16, cluster-size: 8KiB, drop-unsupported: true}
- size: 30MiB
  content: {format: ext4, label: b, uuid: 8f1c2c3e-0000-4000-8000-000000000004, block-size: 4KiB, inodes: 99, journal: 4MiB, reserved: 0%}
- size: 1MiB
- content: {format: ext4, journal: none, reserved: none}
  weight: 1
- size: 300MiB
  content: {format: xfs, label: x, uuid: 8f1c2c3e-0000-4000-8000-000000000006, drop-unsupported: true, options: [-m, crc=0]}
- size: 1MiB
  content: {format: exfat, label: e, volume-id: 1234-abcd}
- content: {format: squashfs, block-size: 64KiB, compression: gzip, level: 9, drop-unsupported: true}
- content: {format: squashfs, compression: lz4, tails: always}
- content: {format: erofs, label: r, uuid: 8f1c2c3e-0000-4000-8000-000000000007, block-size: 512, deduplicate: true}
- content: {format: swap, label: s, uuid: 8f1c2c3e-0000-4000-8000-000000000005, page-size: 64KiB}
blobs:
- {name: boot, offset: 64KiB, file: boot.img}
`)
	require.Len(t, l.Blobs, 1)
	raw := l.Blobs[0].Content.(image.Raw)
	require.Equal(t, int64(len("content of boot.img")), raw.Size)
	l.Blobs[0].Content = nil // it holds a function, which nothing is equal to
	require.Equal(t, image.Layout{
		SectorSize: 4096, Size: 1 << 30, Align: 2 << 20, Time: epoch,
		Seed: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001"),
		ID:   uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000002"),
		Partitions: []image.Partition{
			{
				Name: "a", Type: image.ESP, ID: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000003"), Start: 4 << 20,
				MinSize: 10 << 20, MaxSize: 60 << 20, Free: 1 << 20, FreePercent: 10, Weight: 3,
				Attributes: image.LegacyBoot | image.NoAuto, HybridType: "0x0c",
				Content: &fat.FileSystem{Label: "A", ID: 0x1234abcd, Type: fat.FAT16, ClusterSize: 8192, Drop: true},
			},
			{
				Size: 30 << 20,
				Content: &ext4.FileSystem{
					Label: "b", UUID: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000004"), BlockSize: 4096, Inodes: 99,
					JournalSize: 4 << 20, ReservedPercent: ext4.None,
				},
			},
			{Size: 1 << 20},
			{Weight: 1, Content: &ext4.FileSystem{JournalSize: ext4.None, ReservedPercent: ext4.None}},
			{Size: 300 << 20, Content: &mkfs.FileSystem{
				Type: mkfs.XFS, Label: "x", UUID: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000006"), Drop: true, Options: []string{"-m", "crc=0"},
			}},
			{Size: 1 << 20, Content: &mkfs.FileSystem{Type: mkfs.ExFAT, Label: "e", UUID: uuid.UUID{0x12, 0x34, 0xab, 0xcd}}},
			{Content: &squashfs.FileSystem{BlockSize: 65536, Compression: squashfs.Gzip, Level: 9, Drop: true}},
			{Content: &squashfs.FileSystem{Compression: squashfs.LZ4, Tails: squashfs.TailsAlways}},
			{Content: &erofs.FileSystem{Label: "r", UUID: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000007"), BlockSize: 512, Deduplicate: true}},
			{Content: &swap.Space{Label: "s", UUID: uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000005"), PageSize: 65536}},
		},
		Blobs: []image.Blob{{Name: "boot", Offset: 64 << 10}},
	}, l.Layout)
}

// describe lists a tree: a line for each file, with what it is and its content.
func describe(t *testing.T, tree *filetree.Tree) []string {
	t.Helper()
	var list []string
	require.NoError(t, tree.Walk(func(n filetree.Node) error {
		s := fmt.Sprintf("%s %s %d:%d", n.Path(), n.Mode(), n.UID(), n.GID())
		if !n.ModTime().Equal(epoch) {
			s += " " + n.ModTime().Format(time.RFC3339)
		}
		for _, x := range n.Xattrs() {
			s += fmt.Sprintf(" %s=%q", x.Name, x.Value)
		}
		switch {
		case n.Inode() != n:
			s += " is " + n.Inode().Path()
		case n.Mode().IsRegular():
			s += fmt.Sprintf(" %q", content(t, n))
		case n.Mode()&fs.ModeSymlink != 0:
			s += " -> " + n.Target()
		case n.Mode()&fs.ModeDevice != 0:
			s += fmt.Sprintf(" %d:%d", n.Device().Major, n.Device().Minor)
		}
		list = append(list, s)
		return nil
	}))
	return list
}

func content(t *testing.T, n filetree.Node) string {
	t.Helper()
	c, err := n.Open()
	require.NoError(t, err)
	defer c.Close()
	b, err := io.ReadAll(c)
	require.NoError(t, err)
	return string(b)
}

// writeTar writes an archive of a rootfs.
func writeTar(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	w := tar.NewWriter(f)
	for _, h := range []tar.Header{
		{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o750, Uid: 1},
		{Name: "./etc/hostname", Typeflag: tar.TypeReg, Mode: 0o600, Size: 3},
		{Name: "./etc/old", Typeflag: tar.TypeReg, Mode: 0o600, Size: 3},
		{Name: "./bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./bin/sh", Typeflag: tar.TypeReg, Mode: 0o755, Size: 3},
	} {
		h.ModTime, h.Format = epoch, tar.FormatPAX
		require.NoError(t, w.WriteHeader(&h))
		if h.Size > 0 {
			_, err := w.Write([]byte("tar"))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
}

func TestLayoutFiles(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, "overlay/issue", "overlay/issue.bak", "overlay/conf.d/a.sh", "overlay/conf.d/b", "init", "motd")
	require.NoError(t, os.Chmod(filepath.Join(dir, "init"), 0o700))
	writeTar(t, filepath.Join(dir, "rootfs.tar"))
	writeTar(t, filepath.Join(dir, "layer.tar"))

	for _, tc := range []struct {
		name  string
		files string
		want  []string
	}{
		{"nothing but what is made", `
- {path: /etc/hostname, text: "drivebay\n"}
- {path: /etc, directory: true, mode: "0711", owner: 3:4, xattrs: {user.a: b}}
- {path: /var/empty, directory: true, mode: "2555"}
- {path: /bin, symlink: usr/bin}
- {path: /dev/null, device: char 1:3, mode: 666}
- {path: /dev/sda, device: block 8:0}
- {path: /run/pipe, fifo: true, time: 0}
- {path: /init, file: init}
- {path: /etc/motd, file: motd, mode: 4444}
- {path: /sbin/init, link: /init}
`, []string{
			". drwxr-xr-x 0:0",
			"bin Lrwxrwxrwx 0:0 -> usr/bin",
			"dev drwxr-xr-x 0:0",
			"dev/null Dcrw-rw-rw- 0:0 1:3",
			"dev/sda Drw------- 0:0 8:0",
			`etc drwx--x--x 3:4 user.a="b"`,
			`etc/hostname -rw-r--r-- 0:0 "drivebay\n"`,
			`etc/motd ur--r--r-- 0:0 "content of motd"`,
			`init -rwxr-xr-x 0:0 "content of init"`,
			"run drwxr-xr-x 0:0 1970-01-01T00:00:00Z",
			"run/pipe prw-r--r-- 0:0 1970-01-01T00:00:00Z",
			"sbin drwxr-xr-x 0:0",
			"sbin/init -rwxr-xr-x 0:0 is init",
			"var drwxr-xr-x 0:0",
			"var/empty dgr-xr-xr-x 0:0",
		}},
		{"the root itself", `
- {path: /, directory: true, mode: 700, owner: 5:6, time: 2026-02-01}
- {path: /a, directory: true}
`, []string{
			". drwx------ 5:6 2026-02-01T00:00:00Z",
			"a drwxr-xr-x 0:0",
		}},
		{"later wins", `
- {path: /a, text: first}
- {path: /a, text: second}
- {path: /b, text: file}
- {path: /b/c, text: in a directory}
- {path: /d/e, text: in a directory}
- {path: /d, text: file}
`, []string{
			". drwxr-xr-x 0:0",
			`a -rw-r--r-- 0:0 "second"`,
			"b drwxr-xr-x 0:0",
			`b/c -rw-r--r-- 0:0 "in a directory"`,
			`d -rw-r--r-- 0:0 "file"`,
		}},
		{"an archive as it is", `
- {from: rootfs.tar, to: /}
`, []string{
			". drwxr-xr-x 0:0",
			"bin drwxr-xr-x 0:0",
			`bin/sh -rwxr-xr-x 0:0 "tar"`,
			"etc drwxr-x--- 1:0",
			`etc/hostname -rw------- 0:0 "tar"`,
			`etc/old -rw------- 0:0 "tar"`,
		}},
		{"layers", `
- {from: rootfs.tar, to: /, exclude: [/etc/old]}
- {from: overlay, to: /etc, owner: "1000:100", mode: 600, dir-mode: 700, time: 2026-02-01, exclude: ["*.bak"],
   override: [{match: "*.sh", mode: 755, owner: 7:8}]}
- {path: /etc/hostname, text: new}
- {path: /bin/bash, link: /bin/sh}
`, []string{
			". drwxr-xr-x 0:0",
			"bin drwxr-xr-x 0:0",
			`bin/bash -rwxr-xr-x 0:0 is bin/sh`,
			`bin/sh -rwxr-xr-x 0:0 "tar"`,
			"etc drwx------ 1000:100 2026-02-01T00:00:00Z",
			"etc/conf.d drwx------ 1000:100 2026-02-01T00:00:00Z",
			`etc/conf.d/a.sh -rwxr-xr-x 7:8 2026-02-01T00:00:00Z "content of overlay/conf.d/a.sh"`,
			`etc/conf.d/b -rw------- 1000:100 2026-02-01T00:00:00Z "content of overlay/conf.d/b"`,
			`etc/hostname -rw-r--r-- 0:0 "new"`,
			`etc/issue -rw------- 1000:100 2026-02-01T00:00:00Z "content of overlay/issue"`,
		}},
		{"a source below the root alone", `
- {from: layer.tar, to: /usr, exclude: ["/*"]}
`, []string{
			". drwxr-xr-x 0:0",
			"usr drwxr-xr-x 0:0",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := layout(t, dir, "time: "+epoch.Format(time.RFC3339)+"\npartitions:\n- content:\n    format: ext4\n    files:\n    "+indent(tc.files))
			require.Equal(t, tc.want, describe(t, l.Trees[0]))
			_, err := l.Plan(t.Context())
			require.NoError(t, err)
		})
	}
}

// indent indents a list to where the files of a content are.
func indent(list string) string {
	return strings.ReplaceAll(strings.TrimSpace(list), "\n", "\n    ") + "\n"
}

func TestLayoutErrors(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, "dir/x", "text")
	missing := fs.ErrNotExist
	for _, tc := range []struct {
		name, yaml, want string
		is               error
	}{
		{"source", "partitions:\n- name: root\n  content:\n    format: ext4\n    files:\n    - path: /x\n      text: x\n    - from: nothing\n",
			`disk.yaml:8:7: partition "root": content: file "nothing": stat DIR/nothing: no such file or directory`, missing},
		{"file", "partitions: [{content: {format: ext4, files: [{path: /a, file: nothing}]}}]",
			`disk.yaml:1:47: partition 1: content: file "/a": stat DIR/nothing: no such file or directory`, missing},
		{"directory as a file", "partitions: [{content: {format: ext4, files: [{path: /a, file: dir}]}}]",
			`disk.yaml:1:47: partition 1: content: file "/a": DIR/dir: is of type d---------: want a regular file`, nil},
		{"link to nothing", "partitions: [{content: {format: ext4, files: [{path: /a, link: /b}]}}]",
			`disk.yaml:1:47: partition 1: content: file "/a": link a: target "b": file does not exist`, missing},
		{"raw", "partitions: [{content: {format: raw, file: nothing}}]",
			`disk.yaml:1:44: partition 1: content: stat DIR/nothing: no such file or directory`, missing},
		{"blob", "blobs: [{offset: 0, file: nothing}]",
			`disk.yaml:1:27: blob 1: stat DIR/nothing: no such file or directory`, missing},
		{"device beyond", "partitions: [{content: {format: ext4, files: [{path: /a, device: c 1:1048576}]}}]",
			`disk.yaml:1:47: partition 1: content: file "/a": add a: device 1:1048576: bad entry: want at most 4095:1048575`, filetree.ErrBadEntry},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Parse("disk.yaml", strings.NewReader(tc.yaml), dir)
			require.NoError(t, err)
			_, err = s.Layout(t.Context())
			require.EqualError(t, err, strings.ReplaceAll(tc.want, "DIR", dir))
			if tc.is != nil {
				require.ErrorIs(t, err, tc.is)
			}
		})
	}
}

// TestPlanErrors wants what only a plan finds to be told with its place.
func TestPlanErrors(t *testing.T) {
	for _, tc := range []struct{ name, yaml, want string }{
		{"size", "partitions:\n- name: a\n  size: 1000\n", `disk.yaml:3:9: partition 1 (a): size 1000: want a multiple of the sector size, 512`},
		{"disk", "size: 1000\npartitions: []\n", `disk.yaml:1:7: disk: size 1000: want a multiple of the sector size, 512`},
		{"nothing", "partitions:\n- name: a\n  type: esp\n", `disk.yaml:2:3: partition 1 (a): size 0: want a size, a content to fit, or a weight`},
		{"too small", "partitions:\n- name: a\n  size: 512\n  content: {format: ext4}\n", `disk.yaml:3:9: partition 1 (a): size 512: ext4: `},
		{"label", "partitions: [{content: {format: ext4, label: seventeen letters}}]", `disk.yaml:1:24: partition 1: content`},
		{"max size", "partitions:\n- size: {max: 1MiB}\n  content: {format: vfat, fat-type: 32}\n", `disk.yaml:2:9: partition 1: max size 1048576: want at least`},
		{"overlap", "partitions: [{start: 1MiB, size: 2MiB}, {start: 2MiB, size: 1MiB}]",
			`disk.yaml:1:49: partition 2: start 2097152: want at least 3145728, where partition 1 ends that begins at 1048576`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := layout(t, t.TempDir(), tc.yaml).Plan(t.Context())
			require.ErrorContains(t, err, tc.want)
			var e *image.LayoutError
			require.ErrorAs(t, err, &e)
		})
	}
}

func TestLayoutIsCancelled(t *testing.T) {
	s, err := Parse("disk.yaml", strings.NewReader("partitions: [{content: {format: ext4, files: [{path: /a, text: x}]}}]"), ".")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Layout(ctx)
	require.ErrorContains(t, err, "context canceled")
}
