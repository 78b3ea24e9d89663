package repart_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/spec/repart"
)

// sources makes a root directory with something of everything in it.
func sources(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, dir := range []string{"etc", "usr/bin", "srv", "overlay/etc", "home/user", "skip/me", "empty"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for name, mode := range map[string]os.FileMode{
		"etc/hostname": 0o644, "usr/bin/tool": 0o755, "overlay/etc/hostname": 0o600, "overlay/etc/new": 0o640,
		"single": 0o751, "home/user/file": 0o600, "skip/me/file": 0o644, "skip/kept": 0o644,
	} {
		full := filepath.Join(root, name)
		require.NoError(t, os.WriteFile(full, []byte(name), mode))
		require.NoError(t, os.Chtimes(full, time.Time{}, time.Date(2020, 2, 29, 12, 0, 0, 123456789, time.UTC)))
	}
	require.NoError(t, os.Symlink("hostname", filepath.Join(root, "etc/link")))
	require.NoError(t, os.Symlink("/overlay", filepath.Join(root, "to-overlay")))
	require.NoError(t, os.Link(filepath.Join(root, "etc/hostname"), filepath.Join(root, "etc/hard")))
	require.NoError(t, os.Chmod(filepath.Join(root, "srv"), 0o700|os.ModeSticky))
	require.NoError(t, os.Chmod(filepath.Join(root, "overlay/etc"), 0o700))
	require.NoError(t, os.Chmod(root, 0o711))
	return root
}

// withSpecials adds what only root can make.
func withSpecials(t *testing.T, root string) {
	t.Helper()
	require.NoError(t, unix.Mknod(filepath.Join(root, "etc/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	require.NoError(t, unix.Mkfifo(filepath.Join(root, "etc/fifo"), 0o620))
	require.NoError(t, os.Chown(filepath.Join(root, "usr/bin/tool"), 1000, 100))
	for _, name := range []string{"single", "usr/bin/tool"} {
		require.NoError(t, unix.Setxattr(filepath.Join(root, name), "user.key", []byte("value"), 0))
	}
	require.NoError(t, os.Chmod(filepath.Join(root, "single"), 0o755|os.ModeSetuid))
}

// mounted returns the files of a partition of an image as the kernel finds them.
func mounted(t *testing.T, name string, number int) *filetree.Tree {
	t.Helper()
	d, err := image.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close() })
	s, err := d.Section(number)
	require.NoError(t, err)
	raw := image.Raw{Size: s.Size(), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(s, 0, s.Size())), nil
	}}
	disk := fixture.Disk(t, image.Layout{Table: image.NoTable, Size: s.Size(), Partitions: []image.Partition{{Content: raw}}})
	m := disk.MountAs(disk.Path(), "ext4")
	tree, err := filetree.FromDir(m.Path() + "/")
	require.NoError(t, err)
	t.Cleanup(func() { _ = tree.Close() })
	return tree
}

// TestFiles compares the files with those that systemd-repart copies. Version 252
// does not keep the owner of a file that is named by itself, against its manual.
func TestFiles(t *testing.T) {
	fixture.RequireTool(t, "systemd-repart", "mkfs.ext4")
	fixture.RequireRoot(t)
	fixture.RequireLoop(t)
	fixture.RequireFS(t, "ext4")
	root := sources(t)
	withSpecials(t, root)
	dir := define(t,
		"10-root.conf\nType=root\nCopyFiles=/:/\nCopyFiles=/overlay/etc:/etc\nCopyFiles=/single:/a/b/single\n"+
			"CopyFiles=/srv:/x/y\nCopyFiles=/to-overlay/etc/new:/followed\nMakeDirectories=/proc /deep/er /srv",
		"20-empty.conf\nType=linux-generic\nFormat=ext4",
	)
	theirs := systemdRepart(t, dir, "200M", "--root="+root)
	ours, _ := build(t, dir, repart.Options{Seed: seed, Size: 200 << 20, Root: root})
	require.Equal(t, table(t, theirs), table(t, ours))
	for number := 1; number <= 2; number++ {
		diff, err := filetree.Diff(t.Context(), mounted(t, theirs, number), mounted(t, ours, number), filetree.DiffOptions{
			Aspects: filetree.DefaultAspects &^ filetree.AspectModTime,
		})
		require.NoError(t, err)
		require.Empty(t, diff)
	}
	n, ok := mounted(t, ours, 1).Lookup("a/b/single")
	require.True(t, ok)
	require.Equal(t, time.Date(2020, 2, 29, 12, 0, 0, 123456789, time.UTC), n.ModTime().UTC())
}

// TestIdentities compares what blkid prints of file systems.
func TestIdentities(t *testing.T) {
	fixture.RequireTool(t, "systemd-repart", "mkfs.ext4", "mkfs.vfat", "mkswap", "mkfs.btrfs", "blkid")
	fixture.RequireRoot(t)
	dir := define(t,
		"1.conf\nType=esp\nFormat=vfat\nSizeMinBytes=64M\nLabel=a, größer name", "2.conf\nType=root\nFormat=ext4\nLabel=a longer label than ext4",
		"3.conf\nType=swap\nFormat=swap", "4.conf\nType=home\nFormat=btrfs\nLabel=größe",
	)
	theirs := systemdRepart(t, dir, "auto")
	ours, plan := build(t, dir, repart.Options{Seed: seed})
	for _, p := range plan.Partitions {
		require.Equal(t, identity(t, theirs, p.Start, p.Size), identity(t, ours, p.Start, p.Size), p.Number)
	}
}

// files returns the paths of a partition's files.
func files(t *testing.T, l *repart.Layout, number int) (list []string) {
	t.Helper()
	require.NoError(t, l.Trees[number-1].Walk(func(n filetree.Node) error {
		list = append(list, n.Path())
		return nil
	}))
	return list
}

// TestExclude wants out what is said to be left out, and what belongs elsewhere.
func TestExclude(t *testing.T) {
	root := sources(t)
	require.NoError(t, os.WriteFile(filepath.Join(root, "skip/a*[b]?"), nil, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "skip/ab"), nil, 0o644))
	dir := define(t,
		"1.conf\nType=root\nSizeMinBytes=32M\nCopyFiles=/\nCopyFiles=/srv:/etc/srv\nExcludeFiles=/overlay\nExcludeFiles=/skip/me/\nExcludeFiles=/skip/a*[b]?\n"+
			"ExcludeFilesTarget=/etc/link\nExcludeFilesTarget=/etc/srv\nExcludeFiles=/etc/hard\nMakeSymlinks=/bin:usr/bin \"/with space:/to\"",
		"2.conf\nType=home\nSizeMinBytes=32M\nCopyFiles=/home:/",
		"3.conf\nType=usr\nSizeMinBytes=32M\nCopyFiles=/skip:/\nExcludeFiles=/skip/",
		"4.conf\nType=srv\nSizeMinBytes=32M\nCopyFiles=/skip/me/file:/other/name\nExcludeFiles=/skip\nMakeDirectories=/made",
	)
	d, err := repart.Load([]string{dir}, repart.Options{Root: root})
	require.NoError(t, err)
	l, err := d.Layout(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	_, err = l.Plan(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{
		".", "bin", "empty", "etc", "etc/hostname", "home", "single", "skip", "skip/ab", "skip/kept", "skip/me", "srv", "to-overlay", "usr", "with space",
	}, files(t, l, 1))
	require.Equal(t, []string{".", "user", "user/file"}, files(t, l, 2))
	require.Equal(t, []string{"."}, files(t, l, 3))
	require.Equal(t, []string{".", "made", "other", "other/name"}, files(t, l, 4))
}

// TestRoot wants nothing outside of the root directory to be taken.
func TestRoot(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc/real"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/real/file"), nil, 0o644))
	for link, target := range map[string]string{
		"absolute": "/etc/real", "up": "../../../../etc/real", "etc/loop": "loop", "etc/chain": "../absolute", "out": "/nothing/../../etc/../etc/real",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(root, link)))
	}
	for source, want := range map[string]string{
		"/absolute": "", "/up": "", "/etc/chain": "", "/etc/../etc/real": "want a path without", "/out": "",
		"/etc/loop": "over 40 symbolic links", "/missing": "no such file or directory", "/etc/real/file/x": "not a directory",
	} {
		d, err := repart.Load([]string{define(t, "1.conf\nCopyFiles="+source+":/\nSizeMinBytes=32M")}, repart.Options{Root: root})
		if err == nil {
			var l *repart.Layout
			if l, err = d.Layout(t.Context()); err == nil {
				_, err = l.Plan(t.Context())
				require.NoError(t, err)
				require.Equal(t, []string{".", "file"}, files(t, l, 1), source)
				require.NoError(t, l.Close())
			}
		}
		if want == "" {
			require.NoError(t, err, source)
			continue
		}
		require.ErrorContains(t, err, want, source)
	}
}
