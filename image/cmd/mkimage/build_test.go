package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
)

// runTool runs a program that has to succeed.
func runTool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// writeNoise writes a file of bytes that cannot be compressed, beside a spec of an
// image of it, and returns the spec's name.
func writeNoise(t *testing.T, size int) string {
	t.Helper()
	name := writeSpec(t, "partitions:\n- {name: noise, content: {format: raw, file: noise}}\n- {size: 32MiB}\n")
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(name), "noise"), b, 0o644))
	return name
}

// readAll returns what is in a file or on a device.
func readAll(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return b
}

// names returns the names of the files in a directory.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestBuild(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk.img")
	out, errs, err := mkimage(t, "build", example, "-o", name, "--sync")
	require.NoError(t, err)
	require.Empty(t, out)
	errs = errs[:strings.LastIndex(errs, " written, in ")]
	require.Equal(t, `reading the sources of disk.yaml
writing partition table
writing partition 1 (esp): vfat, 64 MiB
writing partition 2 (root): ext4, 1 MiB
writing partition 3 (swap): swap, 16 MiB
writing backup partition table
`, errs[:strings.LastIndex(errs, "\n")+1])
	require.Equal(t, []string{"disk.img"}, names(t, filepath.Dir(name)))

	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Contains(t, runTool(t, fixture.RequireTool(t, "sfdisk"), "--verify", name), "No errors")
	require.Contains(t, runTool(t, fixture.RequireTool(t, "sgdisk"), "-v", name), "No problems found")
	root := filepath.Join(t.TempDir(), "root")
	require.NoError(t, os.WriteFile(root, want[68157440:][:1<<20], 0o644))
	runTool(t, fixture.RequireTool(t, "e2fsck"), "-fn", root)

	t.Run("to stdout", func(t *testing.T) {
		got, errs, err := mkimage(t, "build", "-o", "-", example)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, []byte(got)))
		require.Contains(t, errs, "standard output: disk of 83 MiB, 83 MiB written, in ")
	})
	t.Run("quiet", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "disk.img")
		out, errs, err := mkimage(t, "build", "-q", "-o", name, example)
		require.NoError(t, err)
		require.Empty(t, out+errs)
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	})
	t.Run("replaces", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "disk.img")
		require.NoError(t, os.WriteFile(name, []byte("old"), 0o600))
		_, _, err := mkimage(t, "build", "-q", "-o", name, example)
		require.NoError(t, err)
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	})
	t.Run("compressed", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "disk.img.zst")
		_, errs, err := mkimage(t, "build", "-o", name, example)
		require.NoError(t, err)
		require.Contains(t, errs, "disk.img.zst: disk of 83 MiB, ")
		require.Equal(t, string(want), runTool(t, fixture.RequireTool(t, "zstd"), "-dcq", name))
	})
}

func TestBuildErrors(t *testing.T) {
	broken := writeSpec(t, "partitions: [{content: {format: ext4, files: [{from: gone, to: /}]}}]")
	small := writeSpec(t, "partitions: [{size: 1MiB, content: {format: raw, file: disk.yaml}}, {size: 1MiB}]\nsize: 2MiB\n")
	for _, tc := range []struct{ name, spec, out, want string }{
		{"no spec", "nothing.yaml", "disk.img", "open nothing.yaml: no such file or directory"},
		{"missing source", broken, "disk.img", broken + `:1:47: partition 1: content: file "gone": stat ` + filepath.Dir(broken) + "/gone: no such file or directory"},
		{"too small", small, "disk.img", small + ":1:21: partition 1: size 1048576: disk: content needs 1048576 bytes, volume has 1031680: 16896 too few"},
		{"no directory", example, "no/disk.img", "/no: no such file or directory"},
		{"no directory, compressed", example, "no/disk.img.zst", "no such file or directory"},
		{"directory", example, ".", "exists and is not a regular file"},
		{"not a device", example, "disk.img", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			_, _, err := mkimage(t, "build", tc.spec, "-o", filepath.Join(dir, tc.out))
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.Equal(t, 1, exitStatus(err))
			require.Empty(t, names(t, dir))
		})
	}
}

// TestBuildChangedSource wants a source that changes between plan and build to be
// named, and nothing to be left.
func TestBuildChangedSource(t *testing.T) {
	spec := writeSpec(t, "partitions: [{content: {format: ext4, files: [{from: src, to: /}]}}]")
	src := filepath.Join(filepath.Dir(spec), "src")
	require.NoError(t, os.Mkdir(src, 0o755))
	for i := range 100 {
		require.NoError(t, os.WriteFile(filepath.Join(src, fmt.Sprint(i)), make([]byte, 100_000), 0o644))
	}
	dir := t.TempDir()
	for _, out := range []string{"disk.img", "disk.img.zst"} {
		// The event of the plan comes when all has been read but the contents.
		w := &onEvent{event: "plan", do: func() { require.NoError(t, os.WriteFile(filepath.Join(src, "42"), []byte("short"), 0o644)) }}
		err := run(t.Context(), []string{"build", "--json", spec, "-o", filepath.Join(dir, out)}, nil, w, w)
		require.ErrorContains(t, err, "open "+filepath.Join(src, "42")+": changed while it was read")
		require.Empty(t, names(t, dir))
		require.NoError(t, os.WriteFile(filepath.Join(src, "42"), make([]byte, 100_000), 0o644))
	}
}

// onEvent is a writer of events that does something at the first one of a kind.
type onEvent struct {
	bytes.Buffer
	event string
	do    func()
	err   error // of every write, once it is set
}

func (o *onEvent) Write(p []byte) (int, error) {
	if o.do != nil && bytes.Contains(p, []byte(`"event":"`+o.event+`"`)) {
		o.do()
		o.do = nil
	}
	if o.err != nil {
		return 0, o.err
	}
	return o.Buffer.Write(p)
}

// TestBuildIsCancelled wants nothing to be left, wherever a build is interrupted.
func TestBuildIsCancelled(t *testing.T) {
	spec := writeNoise(t, 32<<20)
	stop := errors.New("stop")
	for _, event := range []string{"plan", "progress"} {
		for _, out := range []string{"disk.img", "disk.img.zst", "disk.qcow2", "disk.vhd"} {
			t.Run(event+" "+out, func(t *testing.T) {
				dir := t.TempDir()
				ctx, cancel := context.WithCancelCause(t.Context())
				w := &onEvent{event: event, do: func() { cancel(stop) }}
				err := run(ctx, []string{"build", "--json", spec, "-o", filepath.Join(dir, out), "--split"}, nil, w, w)
				require.ErrorIs(t, err, stop)
				require.Empty(t, names(t, dir))
				require.NotContains(t, w.String(), `"event":"done"`)
			})
		}
	}
}

func TestBuildJSON(t *testing.T) {
	spec := writeNoise(t, 8<<20)
	name := filepath.Join(t.TempDir(), "disk.img")
	out, errs, err := mkimage(t, "build", "--json", spec, "-o", name)
	require.NoError(t, err)
	require.Empty(t, errs)

	plan, _, err := mkimage(t, "plan", "--json", spec)
	require.NoError(t, err)
	var last map[string]any
	events := map[string]int{}
	for line := range strings.Lines(out) {
		last = nil
		require.NoError(t, json.Unmarshal([]byte(line), &last), line)
		events[last["event"].(string)]++
		switch last["event"] {
		case "plan":
			b, err := json.Marshal(last["plan"])
			require.NoError(t, err)
			require.JSONEq(t, plan, string(b))
		case "progress":
			require.Contains(t, last, "region")
			require.LessOrEqual(t, last["done"], last["total"])
		}
	}
	require.Equal(t, 1, events["plan"])
	require.GreaterOrEqual(t, events["progress"], 3)
	require.Equal(t, 1, events["done"])
	require.Equal(t, name, last["output"])
	require.Equal(t, float64(42<<20), last["size"])
	require.Greater(t, last["written"], float64(8<<20))

	// The image goes to stdout: events do not.
	out, errs, err = mkimage(t, "build", "--json", spec, "-o", "-")
	require.NoError(t, err)
	require.Len(t, out, 42<<20)
	require.Contains(t, errs, `{"event":"done","output":"-"`)
}

// TestMain runs the command itself where a test has started this binary for that.
func TestMain(m *testing.M) {
	if os.Getenv("MKIMAGE_MAIN") != "" {
		os.Exit(mainStatus())
	}
	os.Exit(m.Run())
}

// command returns the command as a program of its own.
func start(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), "MKIMAGE_MAIN=1")
	return cmd
}

func TestMainStatus(t *testing.T) {
	cmd := start(t, "plan", "nothing.yaml")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Run(), &exit)
	require.Equal(t, 1, exit.ExitCode())
	require.Equal(t, "mkimage: open nothing.yaml: no such file or directory\n", errs.String())

	require.ErrorAs(t, start(t).Run(), &exit)
	require.Equal(t, 2, exit.ExitCode())
	require.NoError(t, start(t, "help").Run())
}

// TestBuildOnFullDisk wants one sentence and nothing left.
func TestBuildOnFullDisk(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this system has no /dev/full")
	}
	require.NoError(t, err)
	defer f.Close()
	err = run(t.Context(), []string{"build", "-q", "-o", "-", example}, nil, f, &bytes.Buffer{})
	require.ErrorContains(t, err, "write to standard output: ")
	var path *fs.PathError
	require.ErrorAs(t, err, &path)
	require.ErrorContains(t, path.Err, "no space left on device")
}

// TestBuildOverSpec wants a slip of the hand not to cost the spec.
func TestBuildOverSpec(t *testing.T) {
	name := writeSpec(t, "partitions:\n- {size: 1MiB}\n")
	before, err := os.ReadFile(name)
	require.NoError(t, err)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(name, link))
	for _, out := range []string{name, link} {
		_, _, err = mkimage(t, "build", name, "-o", out)
		require.EqualError(t, err, "the output "+out+" is the spec: want another name\nTry \"mkimage help build\".")
	}
	after, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}

// TestBuildListsDropped wants a build to say what it leaves out.
func TestBuildListsDropped(t *testing.T) {
	name := writeSpec(t, "partitions:\n- {name: a, content: {format: vfat, drop-unsupported: true, files: [{path: /l, symlink: to}]}}\n")
	_, errs, err := mkimage(t, "build", name, "-o", filepath.Join(t.TempDir(), "disk.img"))
	require.NoError(t, err)
	require.Contains(t, errs, "\npartition 1 (a) leaves out l: symbolic link to to\n")
	_, errs, err = mkimage(t, "build", name, "-q", "-o", filepath.Join(t.TempDir(), "disk.img"))
	require.NoError(t, err)
	require.Empty(t, errs)
}

func TestBuildTellsRootHashes(t *testing.T) {
	spec := writeSpec(t, "partitions:\n- {name: root, size: 2MiB}\n- {name: tree, content: {format: verity, of: root, salt: none}}\n")
	out := filepath.Join(t.TempDir(), "disk.img")
	_, stderr, err := mkimage(t, "build", spec, "-o", out)
	require.NoError(t, err)
	d, err := image.Open(out)
	require.NoError(t, err)
	defer d.Close()
	root := d.Partitions[1].RootHash.String()
	require.Contains(t, stderr, "partition 2 is the hash tree of partition 1: roothash="+root+"\n")
	stdout, _, err := mkimage(t, "build", "--json", spec, "-o", out)
	require.NoError(t, err)
	require.Contains(t, stdout, `{"event":"roothash","partition":2,"data":1,"roothash":"`+root+"\"}\n")
	inspected, _, err := mkimage(t, "inspect", out)
	require.NoError(t, err)
	require.Contains(t, inspected, "root hash "+root)
}
