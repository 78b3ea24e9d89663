package filetree_test

import (
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/filetree"
)

// TestFromDirReadsSpecialFiles compares with what the system's own tools have
// made.
func TestFromDirReadsSpecialFiles(t *testing.T) {
	fixture.RequireRoot(t)
	dir := t.TempDir()
	run := func(name string, args ...string) {
		t.Helper()
		out, err := exec.Command(fixture.RequireTool(t, name), args...).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
	run("mknod", dir+"/block", "b", "259", "1048575")
	run("mknod", dir+"/char", "c", "4095", "300")
	run("mkfifo", dir+"/fifo")
	run("chown", "--no-dereference", "4294967294:100000", dir+"/fifo")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Chdir(dir)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: "socket"}))
	require.NoError(t, unix.Close(fd))
	tr := fromDir(t, dir)
	require.Equal(t, []string{
		". drwxr-xr-x", "block Drw-r--r--", "char Dcrw-r--r--", "fifo prw-r--r--", "socket Srwxr-xr-x",
	}, list(t, tr))
	require.Equal(t, filetree.Device{Major: 259, Minor: 1048575}, lookup(t, tr, "block").Device())
	require.Equal(t, filetree.Device{Major: 4095, Minor: 300}, lookup(t, tr, "char").Device())
	fifo := lookup(t, tr, "fifo")
	require.Equal(t, []uint32{4294967294, 100000}, []uint32{fifo.UID(), fifo.GID()})
	_, err = fifo.Open()
	require.ErrorIs(t, err, filetree.ErrBadEntry)
}

func TestFromDirReadsXattrs(t *testing.T) {
	fixture.RequireRoot(t)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(dir+"/d", 0o755))
	require.NoError(t, os.WriteFile(dir+"/d/f", nil, 0o755))
	require.NoError(t, os.Symlink("f", dir+"/d/s"))
	require.NoError(t, unix.Setxattr(dir, "user.root", []byte("r"), 0))
	require.NoError(t, unix.Lsetxattr(dir+"/d/s", "trusted.link", []byte("not followed"), 0))
	long := []byte(strings.Repeat("long\x00", 200))
	require.NoError(t, unix.Setxattr(dir+"/d/f", "user.long", long, 0))
	require.NoError(t, unix.Setxattr(dir+"/d/f", "user.empty", nil, 0))
	out, err := exec.Command(fixture.RequireTool(t, "setfacl"), "-m", "u:1000:rw", dir+"/d/f").CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command("setfacl", "-d", "-m", "g:7:r", dir+"/d").CombinedOutput()
	require.NoError(t, err, "%s", out)
	// As setcap cap_net_raw+ep writes it (include/uapi/linux/capability.h).
	capability, err := hex.DecodeString("0100000200200000000000000000000000000000")
	require.NoError(t, err)
	require.NoError(t, unix.Setxattr(dir+"/d/f", "security.capability", capability, 0))

	tr := fromDir(t, dir)
	require.Equal(t, []filetree.Xattr{{Name: "user.root", Value: []byte("r")}}, lookup(t, tr, ".").Xattrs())
	require.Equal(t, []filetree.Xattr{{Name: "trusted.link", Value: []byte("not followed")}}, lookup(t, tr, "d/s").Xattrs())
	for _, name := range []string{"d", "d/f"} {
		for _, x := range lookup(t, tr, name).Xattrs() {
			want := make([]byte, 70000)
			n, err := unix.Lgetxattr(path.Join(dir, name), x.Name, want)
			require.NoError(t, err)
			require.Equal(t, string(want[:n]), string(x.Value), "%s %s", name, x.Name)
		}
	}
	var names []string
	for _, x := range lookup(t, tr, "d/f").Xattrs() {
		names = append(names, x.Name)
	}
	require.Equal(t, "security.capability system.posix_acl_access user.empty user.long", strings.Join(names, " "))
	require.Equal(t, "system.posix_acl_default", lookup(t, tr, "d").Xattrs()[0].Name)
}

func TestFromDirReadsHoles(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(dir + "/f")
	require.NoError(t, err)
	defer f.Close()
	for _, at := range []int64{1 << 20, 1 << 40} {
		_, err = f.WriteAt([]byte("data"), at)
		require.NoError(t, err)
	}
	require.NoError(t, f.Truncate(1<<40+1<<20))
	require.NoError(t, f.Sync())
	require.NoError(t, os.Truncate(dir+"/f", 1<<40+1<<20))
	e, err := os.Create(dir + "/hole")
	require.NoError(t, err)
	require.NoError(t, e.Truncate(1<<30))
	require.NoError(t, e.Close())

	tr := fromDir(t, dir)
	var ranges []filetree.Range
	for r := range lookup(t, tr, "f").Data() {
		ranges = append(ranges, r)
	}
	if len(ranges) == 1 && ranges[0].Length == 1<<40+1<<20 {
		t.Skip("the file system tells of no holes")
	}
	// File systems have blocks of up to 64 KiB.
	require.Len(t, ranges, 2)
	for i, at := range []int64{1 << 20, 1 << 40} {
		require.LessOrEqual(t, ranges[i].Offset, at)
		require.Greater(t, ranges[i].End(), at)
		require.LessOrEqual(t, ranges[i].Length, int64(64<<10))
	}
	for range lookup(t, tr, "hole").Data() {
		t.Error("a file without data has some")
	}
	diffs, err := filetree.Diff(t.Context(), tr, fromDir(t, dir), filetree.DiffOptions{Aspects: ^filetree.Aspect(0)})
	require.NoError(t, err)
	require.Empty(t, diffs)
}

func TestFromDirReadsHardLinks(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/b", []byte("hello"), 0o640))
	require.NoError(t, os.Mkdir(dir+"/a", 0o755))
	require.NoError(t, os.Link(dir+"/b", dir+"/a/c"))
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(outside+"/f", nil, 0o600))
	require.NoError(t, os.Link(outside+"/f", dir+"/one"))
	tr := fromDir(t, dir)
	require.Equal(t, []string{
		". drwxr-xr-x", "a drwxr-xr-x", "a/c -rw-r----- 5 links=2", "b -rw-r----- 5 links=2", "one -rw------- 0",
	}, list(t, tr))
	require.Equal(t, lookup(t, tr, "b").Inode(), lookup(t, tr, "a/c").Inode())
	text, err := read(t, lookup(t, tr, "b"))
	require.NoError(t, err)
	require.Equal(t, "hello", text)
}

// TestFromDirReadsDeepTrees has a path that no system call takes, and more levels
// than a process may have descriptors on many systems.
func TestFromDirReadsDeepTrees(t *testing.T) {
	const depth = 1500
	dir := t.TempDir()
	root, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	fd := root
	for i := range depth {
		// A file on each side keeps directories from being the last ones.
		for _, name := range []string{"a", "z"} {
			if i%100 == 99 {
				f, err := unix.Openat(fd, name, unix.O_CREAT|unix.O_WRONLY, 0o600)
				require.NoError(t, err)
				_, err = unix.Write(f, []byte("deep"))
				require.NoError(t, err)
				require.NoError(t, unix.Close(f))
			}
		}
		require.NoError(t, unix.Mkdirat(fd, "directory", 0o755))
		next, err := unix.Openat(fd, "directory", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		require.NoError(t, unix.Close(fd))
		fd = next
	}
	require.NoError(t, unix.Close(fd))
	t.Cleanup(func() {
		out, err := exec.Command("rm", "-rf", dir+"/directory").CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	tr := fromDir(t, dir)
	require.Equal(t, 1+depth+2*depth/100, tr.Len())
	deepest := strings.Repeat("directory/", depth-1) + "z"
	text, err := read(t, lookup(t, tr, deepest))
	require.NoError(t, err)
	require.Equal(t, "deep", text)
	diffs, err := filetree.Diff(t.Context(), tr, fromDir(t, dir), filetree.DiffOptions{})
	require.NoError(t, err)
	require.Empty(t, diffs)
}

func TestStreamReportsChangedSources(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(name string) error
		want   string
	}{
		{"written to", func(name string) error { return os.Chtimes(name, time.Time{}, time.Unix(1, 2)) },
			"open sub/f: changed while it was read: it was written to at 1970-01-01 00:00:01.000000002 +0000 UTC"},
		{"shrunk", func(name string) error { return os.Truncate(name, 3) }, "open sub/f: changed while it was read: its size was 5 bytes and is 3"},
		{"grown", func(name string) error { return os.Truncate(name, 6) }, "open sub/f: changed while it was read: its size was 5 bytes and is 6"},
		{"removed", os.Remove, "open sub/f: changed while it was read: no such file or directory"},
		{"a FIFO", func(name string) error { _ = os.Remove(name); return unix.Mkfifo(name, 0o600) },
			"open sub/f: changed while it was read: it is no longer a regular file"},
		{"a directory", func(name string) error { _ = os.Remove(name); return os.Mkdir(name, 0o700) },
			"open sub/f: changed while it was read: it is no longer a regular file"},
		{"a symbolic link", func(name string) error { _ = os.Remove(name); return os.Symlink("/etc/passwd", name) },
			"open sub/f: changed while it was read: something else has taken its place: too many levels of symbolic links"},
		{"a directory that is a link", func(name string) error {
			sub := path.Dir(name)
			if err := os.Rename(sub, sub+".old"); err != nil {
				return err
			}
			return os.Symlink("sub.old", sub)
		}, "open sub/f: changed while it was read: something else has taken its place: too many levels of symbolic links"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Mkdir(dir+"/sub", 0o755))
			require.NoError(t, os.WriteFile(dir+"/sub/f", []byte("hello"), 0o600))
			tr := fromDir(t, dir)
			require.NoError(t, tt.change(dir+"/sub/f"))
			_, err := read(t, lookup(t, tr, "sub/f"))
			require.ErrorIs(t, err, filetree.ErrChanged)
			require.EqualError(t, err, strings.Replace(tt.want, " ", " "+dir+"/", 1))
		})
	}
}

func TestStreamReportsChangesMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int64
		want string
	}{
		{"shrunk", 3, "read f: changed while it was read: it is shorter than its 5 bytes"},
		{"grown", 6, "read f: changed while it was read: its size was 5 bytes and is 6"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(dir+"/f", []byte("hello"), 0o600))
			err := lookup(t, fromDir(t, dir), "f").Stream(func(r io.Reader, at filetree.Range) error {
				require.NoError(t, os.Truncate(dir+"/f", tt.size))
				_, err := io.ReadFull(r, make([]byte, at.Length))
				return err
			})
			require.ErrorIs(t, err, filetree.ErrChanged)
			require.EqualError(t, err, strings.Replace(tt.want, " ", " "+dir+"/", 1))
		})
	}
}
