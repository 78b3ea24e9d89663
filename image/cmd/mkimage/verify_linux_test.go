package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
)

// TestVerifyFilesOfMounted has an image that the kernel has mounted compared with
// its source, in all that ext4 holds, and listed.
func TestVerifyFilesOfMounted(t *testing.T) {
	fixture.RequireLoop(t)
	fixture.RequireFS(t, "ext4")
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	require.NoError(t, os.Mkdir(source, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(source, "file"), []byte(strings.Repeat("text", 5000)), 0o640))
	require.NoError(t, os.Link(filepath.Join(source, "file"), filepath.Join(source, "linked")))
	require.NoError(t, unix.Setxattr(filepath.Join(source, "file"), "user.note", []byte("one"), 0))
	require.NoError(t, unix.Setxattr(filepath.Join(source, "file"), "trusted.other", nil, 0))
	require.NoError(t, os.WriteFile(filepath.Join(source, "new\nline"), nil, 0o600))
	require.NoError(t, os.Truncate(filepath.Join(source, "new\nline"), 1<<20)) // a hole
	require.NoError(t, os.Lchown(filepath.Join(source, "new\nline"), 1000, 100000))
	spec := filepath.Join(dir, "disk.yaml")
	require.NoError(t, os.WriteFile(spec, []byte("table: none\nsize: 16MiB\npartitions: [{content: {format: ext4, files: [{from: source, to: /}]}}]\n"), 0o644))
	name := filepath.Join(dir, "disk.img")
	_, _, err := mkimage(t, "build", "-q", spec, "-o", name)
	require.NoError(t, err)

	changed := func(change func(root string)) {
		t.Helper()
		root := t.TempDir()
		runTool(t, "mount", "-o", "loop,noatime", name, root)
		defer runTool(t, "umount", root)
		change(root)
	}
	changed(func(string) {})
	_, _, err = mkimage(t, "verify", name, spec)
	require.ErrorIs(t, err, image.ErrDiffers)
	out, _, err := mkimage(t, "verify", name, spec, "--files")
	require.NoError(t, err, out)

	out, _, err = mkimage(t, "inspect", "--files", name)
	require.NoError(t, err)
	info, err := os.Lstat(filepath.Join(source, "file"))
	require.NoError(t, err)
	when := info.ModTime().UTC().Format("2006-01-02T15:04:05Z")
	require.Contains(t, out, fmt.Sprintf("-rw-r-----     0     0        20000  %s  file [trusted.other user.note]\n"+
		"-rw-r-----     0     0        20000  %[1]s  linked == file [trusted.other user.note]\n", when))
	require.Contains(t, out, `  "new\nline"`+"\n")
	out, _, err = mkimage(t, "inspect", "--files", "--json", name)
	require.NoError(t, err)
	require.Contains(t, out, `"path":"linked","type":"file","mode":"0640","uid":0,"gid":0,"size":20000,`)
	require.Contains(t, out, `"xattrs":["trusted.other","user.note"],"linkTo":"file"}`)

	changed(func(root string) {
		require.NoError(t, unix.Setxattr(filepath.Join(root, "file"), "user.note", []byte("two"), 0))
		require.NoError(t, os.Remove(filepath.Join(root, "linked")))
		require.NoError(t, os.WriteFile(filepath.Join(root, "linked"), []byte(strings.Repeat("text", 5000)), 0o640))
		require.NoError(t, os.Chtimes(filepath.Join(root, "linked"), info.ModTime(), info.ModTime()))
		require.NoError(t, os.Lchown(filepath.Join(root, "new\nline"), 1000, 1000))
		require.NoError(t, os.Chtimes(root, info.ModTime(), rootTime(t, source)))
	})
	out, _, err = mkimage(t, "verify", name, spec, "--files")
	require.ErrorIs(t, err, image.ErrDiffers)
	require.Equal(t, strings.Join([]string{
		`partition 1: file: extended attribute user.note="two", want user.note="one"`,
		`partition 1: linked: extended attribute none, want trusted.other=""`,
		`partition 1: linked: extended attribute none, want user.note="one"`,
		"partition 1: linked: hard link none, want to file",
		"partition 1: new\nline: owner 1000:1000, want 1000:100000",
	}, "\n")+"\n", out)
}

func rootTime(t *testing.T, dir string) time.Time {
	t.Helper()
	info, err := os.Lstat(dir)
	require.NoError(t, err)
	return info.ModTime()
}
