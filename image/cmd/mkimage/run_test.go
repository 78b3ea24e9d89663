package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
)

const example = "testdata/disk.yaml"

// mkimage runs the command and returns what it prints.
func mkimage(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	return mkimageIn(t, t.Context(), "", args...)
}

func mkimageIn(t *testing.T, ctx context.Context, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(ctx, args, strings.NewReader(stdin), &out, &errs)
	return out.String(), errs.String(), err
}

// golden compares a text with a file of testdata, or writes it there where the
// environment variable UPDATE is set.
func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// writeSpec writes a spec into a directory of its own and returns its name.
func writeSpec(t *testing.T, yaml string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk.yaml")
	require.NoError(t, os.WriteFile(name, []byte(yaml), 0o644))
	return name
}

func TestPlan(t *testing.T) {
	out, errs, err := mkimage(t, "plan", "testdata/golden.yaml")
	require.NoError(t, err)
	require.Empty(t, errs)
	golden(t, "plan.golden", out)

	out, _, err = mkimage(t, "plan", "testdata/golden.yaml", "--json")
	require.NoError(t, err)
	golden(t, "plan.json", out)
}

func TestPlanOfStdin(t *testing.T) {
	const yaml = "partitions: [{size: 1MiB}]"
	want, _, err := mkimage(t, "plan", writeSpec(t, yaml))
	require.NoError(t, err)
	got, _, err := mkimageIn(t, t.Context(), yaml, "plan", "-")
	require.NoError(t, err)
	require.Equal(t, want, got)

	_, _, err = mkimageIn(t, t.Context(), "foo: 1", "plan", "-")
	require.ErrorContains(t, err, `stdin:1:1: unknown key "foo"`)
}

func TestInspect(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk.img")
	_, _, err := mkimage(t, "build", "-q", "-o", name, example)
	require.NoError(t, err)
	for file, args := range map[string][]string{
		"inspect.golden":       {"inspect", name},
		"inspect.json":         {"inspect", name, "--json"},
		"inspect-files.golden": {"inspect", name, "--files"},
		"inspect-files.json":   {"inspect", "--json", "--files", name},
	} {
		out, errs, err := mkimage(t, args...)
		require.NoError(t, err)
		require.Empty(t, errs)
		golden(t, file, out)
		if strings.HasSuffix(file, ".json") {
			require.True(t, json.Valid([]byte(out)), file)
		}
	}
}

func TestInspectErrors(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, make([]byte, 4096), 0o644))
	_, _, err := mkimage(t, "inspect", empty)
	require.ErrorIs(t, err, image.ErrNoTable)
	_, _, err = mkimage(t, "inspect", empty+".nothing")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, _, err = mkimage(t, "verify", empty+".nothing", example)
	require.ErrorIs(t, err, os.ErrNotExist)

	for _, format := range []string{"vhd-dynamic", "vhdx"} {
		name := buildExample(t, "disk", "--format", format)
		for _, args := range [][]string{{"inspect", name}, {"verify", name, example}} {
			_, _, err = mkimage(t, args...)
			require.EqualError(t, err, name+" is a dynamic VHD or a VHDX: convert it first, by qemu-img convert -O raw")
		}
	}
	packed := filepath.Join(t.TempDir(), "disk.img.zst")
	runTool(t, fixture.RequireTool(t, "zstd"), "-q", example, "-o", packed)
	_, _, err = mkimage(t, "inspect", packed)
	require.EqualError(t, err, packed+" is compressed by zstd, without a seek table: unpack it first, by zstd -d --sparse")
}

// TestReadsFormats wants images that are not raw to be inspected and verified as
// those that are.
func TestReadsFormats(t *testing.T) {
	want, _, err := mkimage(t, "inspect", "--files", buildExample(t, "disk.img"))
	require.NoError(t, err)
	for _, tc := range [][]string{{"disk.img.zst"}, {"disk.qcow2"}, {"disk.qcow2", "--compress", "zstd"}, {"disk.vhd"}} {
		name := buildExample(t, tc[0], tc[1:]...)
		got, _, err := mkimage(t, "inspect", "--files", name)
		require.NoError(t, err)
		require.Equal(t, want, got)
		for _, args := range [][]string{{}, {"--files"}} {
			_, _, err = mkimage(t, append([]string{"verify", name, example}, args...)...)
			require.NoError(t, err, name)
		}
		other := writeSpec(t, "size: 83MiB\npartitions: [{name: other, size: 1MiB}]")
		_, _, err = mkimage(t, "verify", name, other)
		require.ErrorIs(t, err, image.ErrDiffers)
		require.ErrorContains(t, err, name+": image differs from its layout: partition table: byte ")
	}
	grown := writeSpec(t, "align: 4096\npartitions: [{size: 64KiB}]\n")
	name := filepath.Join(t.TempDir(), "disk.vhd")
	_, _, err = mkimage(t, "build", "-q", grown, "-o", name)
	require.NoError(t, err)
	_, _, err = mkimage(t, "verify", name, grown)
	require.NoError(t, err)
}

func TestUsage(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "no command: want build, plan, inspect or verify\nTry \"mkimage help\"."},
		{[]string{"make"}, "\"make\" is not a command: want build, plan, inspect or verify\nTry \"mkimage help\"."},
		{[]string{"plan"}, "plan: 0 arguments: want SPEC\nTry \"mkimage help plan\"."},
		{[]string{"plan", "a", "b"}, "plan: 2 arguments: want SPEC\nTry \"mkimage help plan\"."},
		{[]string{"verify", "a"}, "verify: 1 arguments: want IMAGE and SPEC\nTry \"mkimage help verify\"."},
		{[]string{"plan", "a", "--foo"}, "flag provided but not defined: -foo\nTry \"mkimage help plan\"."},
		{[]string{"plan", "--", "--foo", "b"}, "plan: 2 arguments: want SPEC\nTry \"mkimage help plan\"."},
		{[]string{"help", "make"}, "no help for \"make\": want build, plan, inspect or verify\nTry \"mkimage help\"."},
		{[]string{"build", example}, "no output: want -o and a file, - for standard output, or a device\nTry \"mkimage help build\"."},
		{[]string{"build", example, "-o", out, "-q", "--json"}, "both --json and -q: want one of them\nTry \"mkimage help build\"."},
		{[]string{"build", example, "-o", out, "--format", "vmdk"}, "invalid value \"vmdk\" for flag -format: want raw, zst, qcow2, vhd, vhd-dynamic or vhdx\nTry \"mkimage help build\"."},
		{[]string{"build", example, "-o", out, "--format", "qcow2", "--bmap"}, "--bmap with the format qcow2: want raw or zst, which bmaptool copies from\nTry \"mkimage help build\"."},
		{[]string{"build", example, "-o", out, "--compress", "zstd"}, "--compress and --cluster-size with the format raw: want qcow2\nTry \"mkimage help build\"."},
		{[]string{"build", example, "-o", out + ".qcow2", "--compress", "lzma"}, "invalid value \"lzma\" for flag -compress: want none, zlib or zstd\nTry \"mkimage help build\"."},
		{[]string{"build", example, "-o", out, "--device", "--format", "qcow2"}, "--format qcow2 with --device: want raw\nTry \"mkimage help build\"."},
		{[]string{"build", example, "-o", "-", "--format", "qcow2"}, "--format qcow2 with the output -: want a file, to its start goes what is known last\nTry \"mkimage help build\"."},
		{[]string{"build", example, "-o", "-", "--split"}, "--bmap and --split make files beside the image: want -o and a file\nTry \"mkimage help build\"."},
		{[]string{"build", example, "-o", out, "--manifest", "-"}, "--manifest -: want a file\nTry \"mkimage help build\"."},
		{[]string{"build", example, "-o", "-", "--device"}, "--device with the output -: want the name of a device\nTry \"mkimage help build\"."},
	} {
		_, _, err := mkimage(t, tc.args...)
		require.EqualError(t, err, tc.want)
		require.Equal(t, 2, exitStatus(err))
	}
	require.NoFileExists(t, out)
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
		out, errs, err := mkimage(t, args...)
		require.NoError(t, err)
		require.Empty(t, errs)
		require.Equal(t, overview, out)
	}
	for _, c := range commands {
		out, _, err := mkimage(t, "help", c.name)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(out, "mkimage "+c.name+" "+strings.Join(c.args, " ")), out)
		again, _, err := mkimage(t, c.name, "--help")
		require.NoError(t, err)
		require.Equal(t, out, again)
	}
}

func TestExitStatus(t *testing.T) {
	require.Equal(t, 0, exitStatus(nil))
	require.Equal(t, 1, exitStatus(errors.New("x")))
	require.Equal(t, 2, exitStatus(usageError{err: errors.New("x")}))
	require.Equal(t, 130, exitStatus(signalError{os.Interrupt}))
	require.Equal(t, 143, exitStatus(signalError{syscall.SIGTERM}))
}

func TestVerify(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk.img")
	_, _, err := mkimage(t, "build", "-q", "-o", name, example)
	require.NoError(t, err)

	out, _, err := mkimage(t, "verify", name, example)
	require.NoError(t, err)
	require.Equal(t, name+": every byte as "+example+" has it\n", out)
	out, _, err = mkimage(t, "verify", name, example, "--files")
	require.NoError(t, err)
	require.Equal(t, name+": all files as their sources have them\n", out)
	out, _, err = mkimage(t, "verify", name, example, "--json")
	require.NoError(t, err)
	require.JSONEq(t, `{"equal": true, "differences": []}`, out)

	// A file that has been changed, and one that is new.
	debugfs := fixture.RequireTool(t, "debugfs")
	root := name + "?offset=68157440"
	runTool(t, debugfs, "-w", "-R", "set_inode_field /etc/hostname mode 0100600", root)
	runTool(t, debugfs, "-w", "-R", "symlink /etc/new target", root)

	_, _, err = mkimage(t, "verify", name, example)
	require.ErrorIs(t, err, image.ErrDiffers)
	require.ErrorContains(t, err, "partition 2 (root): byte ")
	require.Equal(t, 1, exitStatus(err))
	out, _, err = mkimage(t, "verify", "--files", name, example)
	require.ErrorIs(t, err, image.ErrDiffers)
	want := []string{
		"partition 2: etc/hostname: mode 0600, want 0644",
		"partition 2: etc/new: unexpected: symbolic link to \"target\"",
	}
	require.Equal(t, strings.Join(want, "\n")+"\n", out)
	out, _, err = mkimage(t, "verify", "--files", "--json", name, example)
	require.ErrorIs(t, err, image.ErrDiffers)
	var result struct {
		Equal       bool
		Differences []string
	}
	require.NoError(t, json.Unmarshal([]byte(out), &result))
	require.False(t, result.Equal)
	require.Equal(t, want, result.Differences)
}

func TestVerifyOfAnotherImage(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk.img")
	other := writeSpec(t, "partitions: [{size: 1MiB}]")
	_, _, err := mkimage(t, "build", "-q", "-o", name, other)
	require.NoError(t, err)
	_, _, err = mkimage(t, "verify", name, example)
	require.EqualError(t, err, name+": image differs from its layout: its size is 3145728 bytes: want 87031808")
}

func TestModeString(t *testing.T) {
	for mode, want := range map[uint16]string{
		0o100644: "-rw-r--r--", 0o104755: "-rwsr-xr-x", 0o102640: "-rw-r-S---", 0o041777: "drwxrwxrwt", 0o041776: "drwxrwxrwT",
		0o120777: "lrwxrwxrwx", 0o020600: "crw-------", 0o060660: "brw-rw----", 0o010000: "p---------", 0o140755: "srwxr-xr-x",
	} {
		require.Equal(t, want, modeString(mode))
	}
}
