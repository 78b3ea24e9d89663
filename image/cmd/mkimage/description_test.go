package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
)

// definitions writes two of systemd's definitions, and a root directory for them.
func definitions(t *testing.T) (dir, root string) {
	t.Helper()
	base := t.TempDir()
	dir, root = filepath.Join(base, "repart.d"), filepath.Join(base, "root")
	for name, text := range map[string]string{
		"repart.d/10-root.conf": "[Partition]\nType=root\nFormat=ext4\nCopyFiles=/etc\nSizeMinBytes=8M\nSizeMaxBytes=8M\n",
		"repart.d/20-more.conf": "[Partition]\nType=home\nPriority=7\n",
		"root/etc/hostname":     "drivebay\n",
	} {
		name = filepath.Join(base, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	return dir, root
}

func TestBuildDefinitions(t *testing.T) {
	dir, root := definitions(t)
	name := filepath.Join(t.TempDir(), "disk.img")
	flags := []string{"--root", root, "--size=16MiB", "--seed", "8f1c2c3e-0000-4000-8000-000000000001"}
	with := func(args ...string) []string { return append(args, flags...) }
	_, errs, err := mkimage(t, with("build", dir, "-o", name)...)
	require.NoError(t, err)
	require.Contains(t, errs, dir+"/20-more.conf is left out: the disk is too small for priority 7\n")
	require.Contains(t, errs, "writing partition 1 (root-")
	require.Contains(t, runTool(t, fixture.RequireTool(t, "sfdisk"), "--verify", name), "No errors")

	out, _, err := mkimage(t, with("verify", name, dir)...)
	require.NoError(t, err)
	require.Contains(t, out, "every byte as "+dir+" has it")
	_, _, err = mkimage(t, with("verify", name, dir, "--files")...)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/hostname"), []byte("another\n"), 0o644))
	out, _, err = mkimage(t, with("verify", name, dir, "--files")...)
	require.Error(t, err)
	require.Contains(t, out, "etc/hostname")

	more := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(more, "20-more.conf"), []byte("[Partition]\nType=srv\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(more, "30-last.conf"), []byte("[Partition]\nType=var\n"), 0o644))
	out, _, err = mkimage(t, "plan", dir, "--root", root, "--definitions", more)
	require.NoError(t, err)
	require.Regexp(t, `(?s) home .* var `, out)
	require.NotContains(t, out, "srv", "the first directory has another of its name")

	out, _, err = mkimage(t, "plan", dir, "--root", root)
	require.NoError(t, err)
	require.Contains(t, out, "home", "as large as all need")
	_, _, err = mkimage(t, with("build", dir, "-o", filepath.Join(root, "etc/disk.img"))...)
	require.ErrorContains(t, err, "is inside of the source "+root+"/etc")
	_, _, err = mkimage(t, with("build", dir, "-o", filepath.Join(dir, "20-more.conf"))...)
	require.ErrorContains(t, err, "is the source "+dir+"/20-more.conf: want another name")
}

func TestDefinitionsAreChecked(t *testing.T) {
	dir, root := definitions(t)
	for _, tc := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"plan", dir, "--root", root, "--size=9MiB"}, 1, dir + ": partitions: disk: content needs"},
		{[]string{"plan", example, "--private-key=key.pem"}, 2, "--private-key key.pem: want it with a directory of definitions only"},
		{[]string{"plan", example, "--definitions", "a", "--definitions=b"}, 2, "--definitions a --definitions b: want it with a directory of definitions only"},
		{[]string{"plan", example, "--root", root}, 2, "--root " + root + ": want it with a directory of definitions only"},
		{[]string{"plan", dir, "--seed=1"}, 2, `invalid value "1" for flag -seed: want a UUID that is not all zeros`},
		{[]string{"plan", dir, "--size=0"}, 2, "want more than 0"},
		{[]string{"plan", root}, 1, root + ": no definitions: want files such as 10-root.conf"},
	} {
		_, _, err := mkimage(t, tc.args...)
		require.ErrorContains(t, err, tc.want)
		require.Equal(t, tc.status, exitStatus(err), tc.args)
	}
}

// TestSpecWithSeedAndSize wants the flags to take the place of what the spec says.
func TestSpecWithSeedAndSize(t *testing.T) {
	spec := writeSpec(t, "size: 10MiB\nseed: 8f1c2c3e-0000-4000-8000-000000000001\npartitions: [{weight: 1}]\n")
	first, _, err := mkimage(t, "plan", spec)
	require.NoError(t, err)
	got, _, err := mkimage(t, "plan", spec, "--size", "20MiB", "--seed", "8f1c2c3e-0000-4000-8000-000000000002")
	require.NoError(t, err)
	require.Contains(t, first, "gpt disk of 10 MiB")
	require.Contains(t, got, "gpt disk of 20 MiB")
	id := func(s string) string { return strings.Fields(s[strings.Index(s, "ID "):])[1] }
	require.NotEqual(t, id(first), id(got))
}
