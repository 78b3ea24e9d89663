package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
)

// buildExample builds the example and returns the image's name.
func buildExample(t *testing.T, name string, args ...string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	_, _, err := mkimage(t, append([]string{"build", "-q", example, "-o", name}, args...)...)
	require.NoError(t, err)
	return name
}

// TestFormats has QEMU compare images of each format with the raw one.
func TestFormats(t *testing.T) {
	raw := buildExample(t, "disk.img")
	for _, tc := range []struct {
		name, format string
		args         []string
	}{
		{"disk.qcow2", "qcow2", nil},
		{"disk.qcow2", "qcow2", []string{"--compress", "zstd"}},
		{"disk.QCOW2", "qcow2", []string{"--compress", "zlib", "--cluster-size", "2MiB"}},
		{"disk", "qcow2", []string{"--format", "qcow2"}},
		{"disk.vhd", "vpc", nil},
		{"disk.vhd", "vpc", []string{"--format", "vhd-dynamic"}},
		{"disk.vhdx", "vhdx", nil},
		{"disk.vhd", "raw", []string{"--format", "raw"}},
	} {
		t.Run(tc.name+strings.Join(tc.args, " "), func(t *testing.T) {
			name := buildExample(t, tc.name, tc.args...)
			require.Contains(t, runTool(t, fixture.RequireTool(t, "qemu-img"), "compare", "-f", "raw", "-F", tc.format, raw, name), "Images are identical.")
			require.Equal(t, []string{tc.name}, names(t, filepath.Dir(name)))
			require.Equal(t, readAll(t, name), readAll(t, buildExample(t, tc.name, tc.args...)), "built again")
		})
	}
}

// TestStreamOfZstd wants what a file would be.
func TestStreamOfZstd(t *testing.T) {
	out, _, err := mkimage(t, "build", "-q", example, "-o", "-", "--format", "zst")
	require.NoError(t, err)
	require.Equal(t, readAll(t, buildExample(t, "disk.zst")), []byte(out))
}

// TestVHDIsWhole wants disks of another size to grow to what Azure takes, and those
// with large sectors to be refused.
func TestVHDIsWhole(t *testing.T) {
	spec := writeSpec(t, "align: 4096\npartitions: [{size: 64KiB}]\n")
	name := filepath.Join(t.TempDir(), "disk.vhd")
	_, errs, err := mkimage(t, "build", spec, "-o", name)
	require.NoError(t, err)
	require.Contains(t, errs, name+" has 1 MiB, the spec a disk of 104 KiB: the backup partition table goes to the end of "+name)
	raw := readAll(t, name)[:image.MiB]
	img := filepath.Join(t.TempDir(), "disk.img")
	require.NoError(t, os.WriteFile(img, raw, 0o644))
	require.Contains(t, runTool(t, fixture.RequireTool(t, "sgdisk"), "-v", img), "No problems found")

	spec = writeSpec(t, "sector-size: 4096\npartitions: [{size: 1MiB}]\n")
	_, _, err = mkimage(t, "build", spec, "-o", name)
	require.EqualError(t, err, "format vhd with sectors of 4096 bytes: want 512")
	_, _, err = mkimage(t, "build", spec, "-o", filepath.Join(t.TempDir(), "disk.vhdx"))
	require.NoError(t, err)
}

// TestBmap has bmaptool copy an image, by which it verifies all checksums.
func TestBmap(t *testing.T) {
	for _, image := range []string{"disk.img", "disk.img.zst"} {
		name := buildExample(t, image, "--bmap")
		dir := filepath.Dir(name)
		require.ElementsMatch(t, []string{image, "disk.img.bmap"}, names(t, dir))
		if strings.HasSuffix(name, ".zst") { // which some bmaptools do not know
			runTool(t, fixture.RequireTool(t, "zstd"), "-dq", name)
			name = strings.TrimSuffix(name, ".zst")
		}
		out := filepath.Join(dir, "copy")
		runTool(t, fixture.RequireTool(t, "bmaptool"), "copy", name, out) // finds the map by its name
		require.True(t, bytes.Equal(readAll(t, name), readAll(t, out)))
	}
}

// TestSplit wants each file to be what is in the partition.
func TestSplit(t *testing.T) {
	for _, out := range []string{"disk.img", "disk.img.zst", "disk.qcow2"} {
		raw := readAll(t, buildExample(t, "disk.img"))
		name := buildExample(t, out, "--split")
		dir := filepath.Dir(name)
		require.ElementsMatch(t, []string{out, "disk.esp.raw", "disk.root.raw", "disk.swap.raw"}, names(t, dir))
		for part, at := range map[string][]byte{
			"esp": raw[1<<20 : 65<<20], "root": raw[65<<20 : 66<<20], "swap": raw[66<<20 : 82<<20],
		} {
			require.True(t, bytes.Equal(at, readAll(t, filepath.Join(dir, "disk."+part+".raw"))), part)
		}
	}
}

// TestSplitNames wants the names that a spec gives, and no file for "-".
func TestSplitNames(t *testing.T) {
	out := filepath.Join(t.TempDir(), "disk.img")
	spec := writeSpec(t, "partitions: [{name: a, size: 1MiB, split: first_1.0}, {name: b, size: 1MiB, split: \"-\"}, {size: 1MiB}]\n")
	_, _, err := mkimage(t, "build", "-q", spec, "-o", out, "--split")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"disk.img", "disk.first_1.0.raw", "disk.3.raw"}, names(t, filepath.Dir(out)))
}

// TestSplitRefuses wants no file to be written twice, or to where it does not belong.
func TestSplitRefuses(t *testing.T) {
	for _, tc := range []struct{ spec, want string }{
		{"partitions: [{name: a, size: 1MiB}, {name: a, size: 1MiB}]\n", "two outputs would be called "},
		{"partitions: [{name: ../a, size: 1MiB}]\n", `--split: partition 1 is called "../a": want a name that a file can have`},
		{"partitions: [{name: a, size: 1MiB, split: x/y}]\n", `:1:43: partition "a": split "x/y": want a name that a file can have, or - for none`},
	} {
		dir := t.TempDir()
		_, _, err := mkimage(t, "build", writeSpec(t, tc.spec), "-o", filepath.Join(dir, "disk.img"), "--split")
		require.ErrorContains(t, err, tc.want)
		require.Empty(t, names(t, dir))
	}
}

// TestManifest wants the list to have the files of the example, with the checksums
// that sha256sum finds.
func TestManifest(t *testing.T) {
	manifest := filepath.Join(t.TempDir(), "disk.spdx.json")
	buildExample(t, "disk.img", "--manifest", manifest)
	var doc struct {
		Files []struct {
			FileName  string
			Checksums []struct{ Algorithm, ChecksumValue string }
			Comment   string
		}
		Packages []struct{ Name string }
	}
	require.NoError(t, json.Unmarshal(readAll(t, manifest), &doc))
	found := map[string]string{}
	for _, f := range doc.Files {
		found[f.FileName] = f.Checksums[1].ChecksumValue
	}
	host := filepath.Join(t.TempDir(), "hostname")
	require.NoError(t, os.WriteFile(host, []byte("drivebay\n"), 0o644))
	require.Equal(t, strings.Fields(runTool(t, fixture.RequireTool(t, "sha256sum"), host))[0], found["./etc/hostname"])
	require.Len(t, doc.Packages, 4)
}

// TestCompanionsOfFailure wants nothing to be left of any file.
func TestCompanionsOfFailure(t *testing.T) {
	spec := writeSpec(t, "partitions: [{name: a, content: {format: ext4, files: [{from: src, to: /}]}}]")
	src := filepath.Join(filepath.Dir(spec), "src")
	require.NoError(t, os.Mkdir(src, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(src, "file"), make([]byte, 100_000), 0o644))
	dir := t.TempDir()
	w := &onEvent{event: "plan", do: func() { require.NoError(t, os.WriteFile(filepath.Join(src, "file"), []byte("short"), 0o644)) }}
	err := run(t.Context(), []string{"build", "--json", spec, "-o", filepath.Join(dir, "disk.img"), "--bmap", "--split", "--manifest", filepath.Join(dir, "list")}, nil, w, w)
	require.ErrorContains(t, err, "changed while it was read")
	require.Empty(t, names(t, dir))
}

// TestOutputsApart wants no file to take the place of another, whatever it is called.
func TestOutputsApart(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink("list", link))
	for _, out := range []string{"list", "link", "./list"} {
		_, _, err := mkimage(t, "build", example, "-o", dir+"/"+out, "--manifest", filepath.Join(dir, "list"))
		require.ErrorContains(t, err, "two outputs would be called "+filepath.Join(dir, "list")+": want other names")
		require.Equal(t, 2, exitStatus(err))
		require.Equal(t, []string{"link"}, names(t, dir))
	}
	_, _, err := mkimage(t, "build", example, "-o", filepath.Join(dir, "disk.img"), "--manifest", example)
	require.ErrorContains(t, err, "the output "+example+" is the spec: want another name")
	_, _, err = mkimage(t, "build", example, "-o", filepath.Join(dir, "disk.img"), "--manifest", "testdata/esp/list")
	require.ErrorContains(t, err, "the output testdata/esp/list is inside of the source testdata/esp")
	require.Equal(t, []string{"link"}, names(t, dir))
}

// TestHashTree wants a partition table that is known last to be in every format, and
// in what is beside it.
func TestHashTree(t *testing.T) {
	spec := writeSpec(t, `seed: 8f1c2c3e-0000-4000-8000-000000000001
partitions:
- {name: data, type: root-x86-64, size: 4MiB, content: {format: ext4, files: [{path: /file, text: hashed}]}}
- {name: hash, type: root-x86-64-verity, content: {format: verity, of: data}}
`)
	dir := t.TempDir()
	build := func(args ...string) {
		t.Helper()
		_, _, err := mkimage(t, append([]string{"build", "-q", spec}, args...)...)
		require.NoError(t, err)
	}
	raw := filepath.Join(dir, "disk.img")
	build("-o", raw)
	want := readAll(t, raw)
	for name, format := range map[string]string{"disk.qcow2": "qcow2", "disk.vhd": "vpc", "disk.vhdx": "vhdx"} {
		name = filepath.Join(dir, name)
		build("-o", name)
		require.Contains(t, runTool(t, fixture.RequireTool(t, "qemu-img"), "compare", "-f", "raw", "-F", format, raw, name), "Images are identical.")
	}
	out := filepath.Join(t.TempDir(), "disk.img")
	build("-o", out, "--bmap", "--split")
	require.Equal(t, want, readAll(t, out))
	stem := strings.TrimSuffix(out, ".img")
	require.Equal(t, want[image.MiB:5*image.MiB], readAll(t, stem+".data.raw"))
	runTool(t, fixture.RequireTool(t, "bmaptool"), "copy", out, stem+".copy")
	require.Equal(t, want, readAll(t, stem+".copy"))
}

// TestSplitOfDefinitions wants the names that SplitName gives, and no file for "-".
func TestSplitOfDefinitions(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"10-a.conf": "Type=linux-generic\nSizeMinBytes=1M\nSizeMaxBytes=1M\nSplitName=first-%t\n",
		"20-b.conf": "Type=linux-generic\nSizeMinBytes=1M\nSizeMaxBytes=1M\nSplitName=-\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("[Partition]\n"+text), 0o644))
	}
	out := filepath.Join(t.TempDir(), "disk.raw")
	_, _, err := mkimage(t, "build", "-q", dir, "-o", out, "--size", "16MiB", "--split", "--seed", "8f1c2c3e-0000-4000-8000-000000000001")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"disk.first-linux-generic.raw", "disk.raw"}, names(t, filepath.Dir(out)))
}
