package filetree_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/filetree"
)

// everything makes a directory with all that Linux knows.
func everything(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	run := func(name string, args ...string) {
		t.Helper()
		out, err := exec.Command(fixture.RequireTool(t, name), args...).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
	write := func(name string, content string) {
		t.Helper()
		require.NoError(t, os.WriteFile(dir+"/"+name, []byte(content), 0o640))
	}
	long := strings.Repeat("0123456789", 12)
	require.NoError(t, os.MkdirAll(dir+"/"+long+"/"+long+"/"+long, 0o750))
	write(long+"/"+long+"/"+long+"/"+long, "a long name")
	write("empty", "")
	write("hello", "hello\n")
	write("big", strings.Repeat("drivebay", 1<<17))
	write("capability", "#!/bin/sh\n")
	write("acl", "x")
	require.NoError(t, os.Link(dir+"/hello", dir+"/link"))
	require.NoError(t, os.Link(dir+"/hello", dir+"/"+long+"/link"))
	require.NoError(t, os.Symlink("hello", dir+"/symlink"))
	require.NoError(t, os.Symlink(strings.Repeat("../", 100)+"etc", dir+"/long-symlink"))
	run("mknod", dir+"/block", "b", "259", "1048575")
	run("mknod", dir+"/char", "c", "1", "3")
	run("mkfifo", dir+"/fifo")
	run("chown", "-h", "3000000:4000000", dir+"/hello", dir+"/symlink", dir+"/char")
	run("setfacl", "-m", "u:1000:rw,g:7:-", dir+"/acl")
	run("setfacl", "-d", "-m", "u:1000:rwx", dir+"/"+long)
	require.NoError(t, os.Chmod(dir+"/empty", 0o755|os.ModeSetuid|os.ModeSetgid))
	require.NoError(t, os.Chmod(dir+"/"+long, 0o777|os.ModeSticky))
	require.NoError(t, unix.Setxattr(dir+"/hello", "user.binary", []byte("\x00=\n\xff"), 0))
	require.NoError(t, unix.Setxattr(dir+"/hello", "user.a=b%c", []byte("x"), 0))
	capability, err := hex.DecodeString("0100000200200000000000000000000000000000")
	require.NoError(t, err)
	require.NoError(t, unix.Setxattr(dir+"/capability", "security.capability", capability, 0))
	for name, ranges := range map[string][]int64{
		"hole": {}, "sparse": {1 << 20, 3<<20 + 5}, "begins": {0, 1 << 30}, "many": {0, 1 << 16, 2 << 16, 3 << 16, 4 << 16, 5 << 16, 6 << 16, 7 << 16, 40 << 16, 80 << 16},
	} {
		f, err := os.Create(dir + "/" + name)
		require.NoError(t, err)
		for _, at := range ranges {
			_, err = f.WriteAt([]byte("data at "+name), at)
			require.NoError(t, err)
		}
		require.NoError(t, f.Truncate(max(1<<21, 1<<30)))
		if len(ranges) > 0 && name != "begins" {
			require.NoError(t, f.Truncate(ranges[len(ranges)-1]+int64(len("data at "+name))))
		}
		require.NoError(t, f.Close())
	}
	when := unix.NsecToTimespec(time.Date(2030, 1, 2, 3, 4, 5, 123456789, time.UTC).UnixNano())
	for _, name := range []string{"hello", "symlink", long, "."} {
		require.NoError(t, unix.UtimesNanoAt(unix.AT_FDCWD, dir+"/"+name, []unix.Timespec{when, when}, unix.AT_SYMLINK_NOFOLLOW))
	}
	return dir
}

// TestFromTarReadsWhatTarWrites compares a directory with its archive made by GNU
// tar.
func TestFromTarReadsWhatTarWrites(t *testing.T) {
	fixture.RequireRoot(t)
	fixture.RequireTool(t, "tar")
	dir := everything(t)
	want := fromDir(t, dir)
	const old = filetree.DefaultAspects &^ filetree.AspectXattrs
	for _, tt := range []struct {
		name  string
		flags string
		o     filetree.DiffOptions
	}{
		{"pax", "--format=posix --xattrs --xattrs-include=*", filetree.DiffOptions{}},
		{"pax with ACLs", "--format=posix --xattrs --xattrs-include=* --acls --numeric-owner", filetree.DiffOptions{}},
		{"pax sparse 0.0", "--format=posix --xattrs --xattrs-include=* --sparse-version=0.0", filetree.DiffOptions{Aspects: filetree.DefaultAspects | filetree.AspectHoles}},
		{"pax sparse 0.1", "--format=posix --xattrs --xattrs-include=* --sparse-version=0.1", filetree.DiffOptions{Aspects: filetree.DefaultAspects | filetree.AspectHoles}},
		{"pax sparse 1.0", "--format=posix --xattrs --xattrs-include=* --sparse-version=1.0", filetree.DiffOptions{Aspects: filetree.DefaultAspects | filetree.AspectHoles}},
		{"gnu", "--format=gnu", filetree.DiffOptions{Aspects: old, TimeResolution: time.Second}},
		{"gnu sparse", "--format=gnu -S", filetree.DiffOptions{Aspects: old | filetree.AspectHoles, TimeResolution: time.Second}},
		{"gnu incremental", "--format=gnu --atime-preserve", filetree.DiffOptions{Aspects: old, TimeResolution: time.Second}},
	} {
		if strings.Contains(tt.flags, "sparse-version") {
			tt.flags += " -S"
		}
		if !strings.Contains(tt.flags, "-S") {
			// Files of a GiB take too long without.
			tt.flags += " --exclude=./hole --exclude=./begins"
			tt.o.Skip = func(path string) bool { return path == "hole" || path == "begins" }
		}
		t.Run(tt.name, func(t *testing.T) {
			name := t.TempDir() + "/a.tar"
			args := append([]string{"-C", dir, "-c", "-f", name}, strings.Fields(tt.flags)...)
			out, err := exec.Command("tar", append(args, ".")...).CombinedOutput()
			require.NoError(t, err, "%s", out)
			got, err := filetree.OpenTar(name)
			require.NoError(t, err)
			diffs, err := filetree.Diff(t.Context(), want, got, tt.o)
			require.NoError(t, err)
			require.Empty(t, lines(diffs))
			require.NoError(t, got.Close())
		})
	}
}

// TestFromTarUnpacks reads the same archive packed by the programs that people
// have, from a file and from a pipe.
func TestFromTarUnpacks(t *testing.T) {
	fixture.RequireRoot(t)
	fixture.RequireTool(t, "tar", "gzip", "zstd", "xz", "bzip2")
	dir := everything(t)
	want := fromDir(t, dir)
	plain := t.TempDir() + "/a.tar"
	out, err := exec.Command("tar", "-C", dir, "-c", "-f", plain, "-S", "--format=posix", "--xattrs", "--xattrs-include=*", ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, command := range []string{"cat", "gzip -c", "zstd -c", "zstd -c --long=27", "xz -c", "xz -c --block-size=100000", "bzip2 -c"} {
		t.Run(command, func(t *testing.T) {
			packed, err := exec.Command("sh", "-c", command+" <"+plain).Output()
			require.NoError(t, err)
			got, err := filetree.FromTar(struct{ *bytes.Buffer }{bytes.NewBuffer(packed)})
			require.NoError(t, err)
			diffs, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{Aspects: filetree.DefaultAspects | filetree.AspectHoles})
			require.NoError(t, err)
			require.Empty(t, lines(diffs))
			require.NoError(t, got.Close())
			for _, cut := range []int{1, 2, 3, 4, 6, 10, len(packed) / 3, len(packed) / 2, len(packed) - 10300, len(packed) - 9} {
				if command == "cat" && cut > len(packed)-10240 {
					continue // tar has padded the archive's end
				}
				_, err := filetree.FromTar(bytes.NewReader(packed[:max(cut, 0)]))
				require.Error(t, err, "cut at %d of %d bytes", cut, len(packed))
			}
		})
	}
}
