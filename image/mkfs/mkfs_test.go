package mkfs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/mkfs"
	"github.com/drivebay/drivebay/image/volume"
)

func TestMain(m *testing.M) { fixture.Main(m) }

const mib = 1 << 20

var (
	seed = uuid.MustParse("8f1c2c3e-0000-4000-8000-000000000001")
	id   = uuid.MustParse("0190a7b2-6dbe-4c5f-9e0b-4d1f2a3b4c5d")
	day  = time.Date(2020, 2, 29, 12, 0, 0, 0, time.UTC)
)

func geometry(size int64) volume.Geometry {
	return volume.Geometry{SectorSize: 512, Size: size, Seed: seed, Time: day}
}

// fill is what tests put into a file system: whatever each of them can hold.
func fill(t *testing.T) *filetree.Tree {
	t.Helper()
	tree := filetree.New()
	add := func(path string, e filetree.Entry) {
		e.ModTime = day
		_, err := tree.Add(path, e)
		require.NoError(t, err)
	}
	file := func(size int, perm fs.FileMode, uid, gid uint32) filetree.Entry {
		e := filetree.File(bytes.Repeat([]byte("drivebay "), size/9+1)[:size], perm)
		e.UID, e.GID = uid, gid
		return e
	}
	add(".", filetree.Dir(0o750))
	add("empty", file(0, 0o644, 0, 0))
	add("small", file(100, 0o600, 1000, 100))
	add("bin/setuid", file(5000, 0o755|fs.ModeSetuid|fs.ModeSetgid, 1, 2))
	add("bin/большой", file(3*mib+1, 0o444, 1<<32-2, 1<<31))
	add("link", filetree.Symlink("../bin/no:where"))
	add("deep/"+strings.Repeat("d/", 30)+"leaf", file(10, 0o640, 0, 0))
	add("fifo", filetree.Entry{Mode: fs.ModeNamedPipe | 0o622})
	for i := range 200 {
		add(fmt.Sprintf("many/%d-%s", i, strings.Repeat("n", 200)), file(i, 0o644, 0, 0))
	}
	return tree
}

// run runs a tool that has to succeed, and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(fixture.RequireTool(t, name), args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// attach builds the file system on a disk of its own.
func attach(t *testing.T, f *mkfs.FileSystem, size int64) *fixture.AttachedDisk {
	t.Helper()
	return fixture.Disk(t, image.Layout{
		Table: image.NoTable, Size: size, Seed: seed, Time: day,
		Partitions: []image.Partition{{Content: f}},
	})
}

// requireTree holds what the kernel finds on a disk against a tree.
func requireTree(t *testing.T, want *filetree.Tree, d *fixture.AttachedDisk, o filetree.DiffOptions) {
	t.Helper()
	m := d.Mount(0)
	got, err := filetree.FromDir(m.Path() + "/")
	require.NoError(t, err)
	diff, err := filetree.Diff(t.Context(), want, got, o)
	require.NoError(t, errors.Join(err, got.Close(), m.Close()))
	diff = slices.DeleteFunc(diff, func(d filetree.Difference) bool {
		return d.Path == "." && d.Aspect == filetree.AspectModTime // nobody keeps it
	})
	require.Empty(t, diff)
}

const allButTimes = filetree.DefaultAspects &^ filetree.AspectModTime

func TestXFS(t *testing.T) {
	fixture.RequireTool(t, "mkfs.xfs", "xfs_repair", "blkid")
	fixture.RequireFS(t, "xfs")
	tree := fill(t)
	for path, e := range map[string]filetree.Entry{
		"null": {Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666, Device: filetree.Device{Major: 1, Minor: 3}},
		"disk": {Mode: fs.ModeDevice | 0o660, GID: 6, Device: filetree.Device{Major: 259, Minor: 70000}},
	} {
		_, err := tree.Add(path, e)
		require.NoError(t, err)
	}
	d := attach(t, &mkfs.FileSystem{Type: mkfs.XFS, Tree: tree, Label: "twelve-bytes", UUID: id}, 0)
	run(t, "xfs_repair", "-n", d.Path())
	info := run(t, "blkid", "-p", "-o", "export", d.Path())
	require.Contains(t, info, "LABEL=twelve-bytes\n")
	require.Contains(t, info, "UUID="+id.String()+"\n")
	requireTree(t, tree, d, filetree.DiffOptions{Aspects: allButTimes})
}

func TestXFSOn4KSectors(t *testing.T) {
	fixture.RequireTool(t, "mkfs.xfs", "xfs_repair")
	fixture.RequireFS(t, "xfs")
	tree := fill(t)
	d := fixture.Disk(t, image.Layout{SectorSize: 4096, Table: image.NoTable, Partitions: []image.Partition{
		{Content: &mkfs.FileSystem{Type: mkfs.XFS, Tree: tree}},
	}})
	run(t, "xfs_repair", "-n", d.Path())
	requireTree(t, tree, d, filetree.DiffOptions{Aspects: allButTimes})
}

// TestXFSNeedsNoRoot is worth most where it runs as anybody.
func TestXFSNeedsNoRoot(t *testing.T) {
	fixture.RequireTool(t, "mkfs.xfs", "xfs_repair")
	name := filepath.Join(t.TempDir(), "xfs")
	_, err := image.Build(t.Context(), name, image.Layout{Table: image.NoTable, Partitions: []image.Partition{
		{Content: &mkfs.FileSystem{Type: mkfs.XFS, Tree: fill(t)}},
	}}, image.Options{})
	require.NoError(t, err)
	run(t, "xfs_repair", "-n", "-f", name)
}

func TestBtrfsWithFilesNeedsRoot(t *testing.T) {
	fixture.RequireTool(t, "mkfs.btrfs")
	if os.Geteuid() == 0 {
		t.Skip("runs as root")
	}
	p, err := (&mkfs.FileSystem{Type: mkfs.Btrfs, Tree: filetree.New()}).Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	w := volume.NewWriter(&hasher{hash: sha256.New()}, p.Info().Size)
	defer w.Close()
	err = p.Write(t.Context(), w)
	require.ErrorIs(t, err, mkfs.ErrPermission)
	require.ErrorContains(t, err, "only root can build the directory that mkfs.btrfs copies")
}

func TestBtrfs(t *testing.T) {
	fixture.RequireTool(t, "mkfs.btrfs", "btrfs", "blkid")
	fixture.RequireFS(t, "btrfs")
	tree := fill(t)
	_, err := tree.Add(".", filetree.Dir(0o755)) // mkfs.btrfs has no other
	require.NoError(t, err)
	_, err = tree.Add("sticky", filetree.Entry{Mode: fs.ModeDir | fs.ModeSticky | 0o777, ModTime: day, Xattrs: []filetree.Xattr{
		{Name: "trusted.a", Value: []byte("1")}, {Name: "security.b", Value: []byte("2")},
	}})
	require.NoError(t, err)
	_, err = tree.Add("socket", filetree.Entry{Mode: fs.ModeSocket | 0o700, ModTime: day})
	require.NoError(t, err)
	_, err = tree.Link("deep/another name", "small")
	require.NoError(t, err)
	d := attach(t, &mkfs.FileSystem{Type: mkfs.Btrfs, Tree: tree, Label: "a label", UUID: id}, 0)
	run(t, "btrfs", "check", "--readonly", d.Path())
	info := run(t, "blkid", "-p", "-o", "export", d.Path())
	require.Contains(t, info, `LABEL=a\ label`+"\n")
	require.Contains(t, info, "UUID="+id.String()+"\n")
	requireTree(t, tree, d, filetree.DiffOptions{TimeResolution: time.Second})
}

func TestExFAT(t *testing.T) {
	fixture.RequireTool(t, "mkfs.exfat", "fsck.exfat", "blkid")
	d := attach(t, &mkfs.FileSystem{Type: mkfs.ExFAT, Label: "elf zeichen", UUID: id}, 16*mib)
	require.Contains(t, run(t, "fsck.exfat", "-n", d.Path()), "clean")
	info := run(t, "blkid", "-p", "-o", "export", d.Path())
	require.Contains(t, info, `LABEL=elf\ zeichen`+"\n")
	require.Contains(t, info, "UUID="+d.Plan().Partitions[0].Volume.UUID+"\n")
}

func TestEmpty(t *testing.T) {
	for _, tc := range []struct {
		kind  mkfs.Type
		size  int64
		judge []string
	}{
		{mkfs.XFS, 0, []string{"xfs_repair", "-n"}},
		{mkfs.XFS, 2 << 40, []string{"xfs_repair", "-n"}},
		{mkfs.Btrfs, 0, []string{"btrfs", "check", "--readonly"}},
		{mkfs.ExFAT, 0, []string{"fsck.exfat", "-n"}},
		{mkfs.ExFAT, 1 << 40, []string{"fsck.exfat", "-n"}},
	} {
		t.Run(fmt.Sprintf("%s/%d", tc.kind, tc.size), func(t *testing.T) {
			fixture.RequireTool(t, "mkfs."+string(tc.kind), tc.judge[0])
			d := attach(t, &mkfs.FileSystem{Type: tc.kind}, tc.size)
			run(t, tc.judge[0], append(tc.judge[1:], d.Path())...)
		})
	}
}

// TestSmallestHoldsTheTree: the size that a tree is given when none is asked for
// is an estimate.
func TestSmallestHoldsTheTree(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), mib/16)
	for _, kind := range []mkfs.Type{mkfs.XFS, mkfs.Btrfs} {
		for _, tc := range []struct {
			name        string
			files, size int
		}{
			{"small files", 5000, 1}, // of XFS, each is a descriptor
			{"blocks", 5000, 4097},
			{"large files", 150, mib},
		} {
			t.Run(fmt.Sprintf("%s/%s", kind, tc.name), func(t *testing.T) {
				fixture.RequireTool(t, "mkfs."+string(kind))
				fixture.RequireRoot(t) // for btrfs
				tree := filetree.New()
				for i := range tc.files {
					path := fmt.Sprintf("d%d/a-name-of-a-file-as-it-might-be-%d", i/1000, i)
					_, err := tree.Add(path, filetree.File(content[:tc.size], 0o644))
					require.NoError(t, err)
				}
				p, err := (&mkfs.FileSystem{Type: kind, Tree: tree}).Plan(t.Context(), geometry(0))
				require.NoError(t, err)
				write(t, p)
			})
		}
	}
}

// write writes a plan to an unnamed file and returns a hash of what came of it.
func write(t *testing.T, p volume.Plan) []byte {
	t.Helper()
	s := &hasher{hash: sha256.New()}
	w := volume.NewWriter(s, p.Info().Size)
	defer w.Close()
	require.NoError(t, p.Write(t.Context(), w))
	require.NoError(t, w.Flush())
	require.Positive(t, w.Written())
	return s.hash.Sum(nil)
}

func TestReproducible(t *testing.T) {
	// Of the others, it is the programs' newer versions that are: see the
	// package's documentation.
	fixture.RequireTool(t, "mkfs.exfat")
	p, err := (&mkfs.FileSystem{Type: mkfs.ExFAT}).Plan(t.Context(), geometry(16*mib))
	require.NoError(t, err)
	first := write(t, p)
	require.Equal(t, first, write(t, p))
}

func TestLosses(t *testing.T) {
	tree := func(t *testing.T) *filetree.Tree {
		tr := filetree.New()
		for path, e := range map[string]filetree.Entry{
			".":             filetree.Dir(0o700),
			"tmp":           filetree.Dir(fs.ModeSticky | 0o777),
			"file":          {Xattrs: []filetree.Xattr{{Name: "user.a"}}},
			"white space/x": {},
			"white space/y": {},
			":colon":        {},
			"to":            filetree.Symlink("white space"),
			"socket":        {Mode: fs.ModeSocket},
			"null":          {Mode: fs.ModeDevice | fs.ModeCharDevice, Device: filetree.Device{Major: 1, Minor: 3}},
		} {
			_, err := tr.Add(path, e)
			require.NoError(t, err)
		}
		_, err := tr.Link("name", "file")
		require.NoError(t, err)
		return tr
	}
	for _, tc := range []struct {
		kind mkfs.Type
		want []string
		left []string
	}{
		{mkfs.XFS, []string{
			":colon: name with white space, or that means something else to mkfs.xfs",
			"file: extended attribute user.a",
			"name: hard link to file, becomes a copy, extended attribute user.a",
			"socket: socket",
			"tmp: sticky bit",
			"to: symbolic link to a name with white space, or that means something else to mkfs.xfs",
			"white space: name with white space, or that means something else to mkfs.xfs",
		}, []string{"file", "name", "null", "tmp"}},
		{mkfs.Btrfs, []string{".: permissions, owner and attributes of the root directory", "null: device, of which mkfs.btrfs loses the number"},
			[]string{":colon", "file", "name", "socket", "tmp", "to", "white space"}},
	} {
		t.Run(string(tc.kind), func(t *testing.T) {
			fixture.RequireTool(t, "mkfs."+string(tc.kind))
			fixture.RequireFS(t, string(tc.kind))
			f := &mkfs.FileSystem{Type: tc.kind, Tree: tree(t)}
			_, err := f.Plan(t.Context(), geometry(0))
			require.ErrorIs(t, err, mkfs.ErrUnsupported)
			for _, line := range tc.want {
				require.ErrorContains(t, err, string(tc.kind)+" "+line)
			}
			f.Drop = true
			if tc.kind == mkfs.Btrfs {
				// A tmpfs has no attributes of users before Linux 6.6.
				fixture.RequireKernel(t, 6, 6)
			}
			d := attach(t, f, 0)
			require.Equal(t, tc.want, d.Plan().Partitions[0].Volume.Dropped)
			var left []string
			entries, err := fs.ReadDir(d.Mount(0).FS(), ".")
			require.NoError(t, err)
			for _, e := range entries {
				left = append(left, e.Name())
			}
			require.Equal(t, tc.left, left)
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	large := filetree.New()
	_, err := large.Add("file", filetree.Entry{Size: 500 * mib})
	require.NoError(t, err)
	huge := filetree.New()
	_, err = huge.Add("file", filetree.Entry{Size: 2 << 30})
	require.NoError(t, err)
	for _, tc := range []struct {
		name string
		fs   mkfs.FileSystem
		size int64
		is   error
		want string
	}{
		{"no type", mkfs.FileSystem{}, 0, mkfs.ErrOption, `file system of type "": bad option: want xfs, btrfs or exfat`},
		{"label", mkfs.FileSystem{Type: mkfs.XFS, Label: "thirteen byte"}, 0, mkfs.ErrOption, "want at most 12 bytes, and no NUL"},
		{"UTF-16", mkfs.FileSystem{Type: mkfs.ExFAT, Label: "💾💾💾💾💾💾"}, 0, mkfs.ErrOption, "want at most 11 UTF-16 code units"},
		{"tree", mkfs.FileSystem{Type: mkfs.ExFAT, Tree: large}, 0, mkfs.ErrUnsupported, "mkfs.exfat makes empty file systems only"},
		{"huge", mkfs.FileSystem{Type: mkfs.XFS, Tree: huge, Drop: true}, 0, mkfs.ErrUnsupported, "xfs file: file of 2147483648 bytes, want at most 2147479552"},
		{"subvolume of XFS", mkfs.FileSystem{Type: mkfs.XFS, Subvolumes: []string{"a"}}, 0, mkfs.ErrSubvolume, `xfs: "a": cannot be a subvolume: want btrfs`},
		{"subvolume of nothing", mkfs.FileSystem{Type: mkfs.Btrfs, Subvolumes: []string{"a"}}, 0, mkfs.ErrSubvolume, `btrfs: "a": cannot be a subvolume: want a directory of the tree`},
		{"negative", mkfs.FileSystem{Type: mkfs.XFS}, -1, mkfs.ErrOption, "size of -1 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := tc.fs.Plan(t.Context(), geometry(tc.size))
			require.ErrorIs(t, err, tc.is)
			require.ErrorContains(t, err, tc.want)
		})
	}
	g := geometry(0)
	g.SectorSize = 4096
	_, err = (&mkfs.FileSystem{Type: mkfs.ExFAT}).Plan(t.Context(), g)
	require.ErrorIs(t, err, mkfs.ErrOption)
	require.ErrorContains(t, err, "exfat: sector size of 4096 bytes")
	for _, tc := range []struct {
		fs   mkfs.FileSystem
		want volume.SizeError
	}{
		{mkfs.FileSystem{Type: mkfs.XFS}, volume.SizeError{Format: "xfs", Size: 299 * mib, Need: 300 * mib, Resource: "bytes"}},
		{mkfs.FileSystem{Type: mkfs.ExFAT}, volume.SizeError{Format: "exfat", Size: mib, Need: 3 * mib, Resource: "bytes"}},
		{mkfs.FileSystem{Type: mkfs.Btrfs, Tree: large}, volume.SizeError{Format: "btrfs", Size: 400 * mib, Need: 691 * mib, Resource: "bytes"}},
	} {
		_, err := tc.fs.Plan(t.Context(), geometry(tc.want.Size))
		var short *volume.SizeError
		require.ErrorAs(t, err, &short)
		require.Equal(t, tc.want, *short)
	}
}

func TestProgramFails(t *testing.T) {
	fixture.RequireTool(t, "mkfs.xfs")
	p, err := (&mkfs.FileSystem{Type: mkfs.XFS, Options: []string{"-n", "size=3"}}).Plan(t.Context(), geometry(300*mib))
	require.NoError(t, err)
	w := volume.NewWriter(&hasher{hash: sha256.New()}, 300*mib)
	defer w.Close()
	err = p.Write(t.Context(), w)
	require.ErrorContains(t, err, "xfs: mkfs.xfs: exit status 1: Invalid value 3 for -n size option")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	require.EqualError(t, p.Write(ctx, w), "xfs: enough")
}

func TestChangedSource(t *testing.T) {
	fixture.RequireTool(t, "mkfs.xfs")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("long"), 0o644))
	tree, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer tree.Close()
	p, err := (&mkfs.FileSystem{Type: mkfs.XFS, Tree: tree}).Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("longer"), 0o644))
	w := volume.NewWriter(&hasher{hash: sha256.New()}, p.Info().Size)
	defer w.Close()
	err = p.Write(t.Context(), w)
	require.ErrorIs(t, err, filetree.ErrChanged)
	require.ErrorContains(t, err, "file")
}
