package ext4_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
)

// mount has the kernel mount an image until the test ends, and returns where,
// and how to unmount it before that.
func mount(t testing.TB, image string, options string) (dir string, unmount func()) {
	t.Helper()
	fixture.RequireLoop(t)
	fixture.RequireFS(t, "ext4")
	dir = t.TempDir()
	mounted := true
	unmount = func() {
		if mounted {
			mounted = false
			tool(t, "umount", dir)
		}
	}
	t.Cleanup(unmount)
	tool(t, "mount", "-t", "ext4", "-o", "loop,noatime,"+options, image, dir)
	return dir, unmount
}

// pattern is n bytes that are not zero and do not repeat soon.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i%251) + byte(i/4096%4) + 1
	}
	return b
}

// vfsACL is an access control list as getxattr has it: tag, permissions, ID.
func vfsACL(entries ...[3]uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, uint16(e[0]))
		b = binary.LittleEndian.AppendUint16(b, uint16(e[1]))
		b = binary.LittleEndian.AppendUint32(b, e[2])
	}
	return b
}

// everything is a tree of all kinds of files that fit blocks of 1 KiB.
func everything(t testing.TB) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	add := func(path string, e filetree.Entry) {
		t.Helper()
		if e.ModTime.IsZero() {
			e.ModTime = created.Add(123456789)
		}
		_, err := tr.Add(path, e)
		require.NoError(t, err)
	}
	link := func(path, target string) {
		t.Helper()
		_, err := tr.Link(path, target)
		require.NoError(t, err)
	}
	file := func(n int) filetree.Entry { return filetree.File(pattern(n), 0o644) }
	none := uint32(0xffffffff)
	acl := vfsACL([3]uint32{1, 6, none}, [3]uint32{2, 7, 1000}, [3]uint32{2, 4, 70000}, [3]uint32{4, 4, none},
		[3]uint32{8, 5, 2000}, [3]uint32{0x10, 7, none}, [3]uint32{0x20, 0, none})

	root := filetree.Dir(0o751)
	root.UID, root.GID = 1, 2
	root.ModTime = created.Add(987654321)
	root.Xattrs = []filetree.Xattr{{Name: "user.root", Value: []byte("yes")}}
	add(".", root)

	for _, n := range []int{0, 1, 1023, 1024, 1025, 4095, 4096, 4097, 100000, 1 << 20} {
		add(fmt.Sprintf("sizes/%d", n), file(n))
	}
	for _, n := range []int{1, 58, 59, 60, 61, 300, 1023} {
		add(fmt.Sprintf("symlinks/%d", n), filetree.Symlink(strings.Repeat("x", n)))
	}
	for _, name := range []string{" space ", "-rf", "new\nline", "ümlaut-ß", "日本語", "\xff\xfe", strings.Repeat("n", 255)} {
		add("names/"+name, file(3))
	}
	for i, dev := range []filetree.Device{{Major: 0, Minor: 0}, {Major: 1, Minor: 3}, {Major: 255, Minor: 255}, {Major: 256, Minor: 1}, {Major: 8, Minor: 256}, {Major: 4095, Minor: 1<<20 - 1}} {
		add(fmt.Sprintf("special/char%d", i), filetree.Entry{Mode: fs.ModeDevice | fs.ModeCharDevice | 0o620, Device: dev, GID: 5})
		add(fmt.Sprintf("special/block%d", i), filetree.Entry{Mode: fs.ModeDevice | 0o660, Device: dev, GID: 6})
	}
	add("special/fifo", filetree.Entry{Mode: fs.ModeNamedPipe | 0o600})
	add("special/socket", filetree.Entry{Mode: fs.ModeSocket | 0o755})

	link("links/size", "sizes/4097")
	link("links/a/b/c/size", "sizes/4097")
	link("links/empty", "sizes/0")
	link("links/symlink", "symlinks/60")
	link("links/device", "special/char1")
	link("a-link-before-its-file", "sizes/100000")

	for i, mode := range []fs.FileMode{0, 0o777, fs.ModeSetuid | 0o755, fs.ModeSetgid | 0o711, fs.ModeSticky | 0o1, fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky | 0o777} {
		e := file(i)
		e.Mode = mode
		e.UID, e.GID = uint32(i)*70000, 4000000000+uint32(i)
		add(fmt.Sprintf("modes/%d", i), e)
		add(fmt.Sprintf("modes/dir%d", i), filetree.Entry{Mode: fs.ModeDir | mode, UID: 1 << 31, GID: 1 << 16})
	}
	for i, tm := range times {
		e := file(i)
		e.ModTime, e.AccessTime, e.ChangeTime = tm, times[(i+1)%len(times)], times[(i+2)%len(times)]
		add(fmt.Sprintf("times/%d", i), e)
	}
	for name, xattrs := range map[string][]filetree.Xattr{
		"empty-value": {{Name: "user.e"}},
		"in-inode":    {{Name: "user.a", Value: []byte("1")}, {Name: "security.selinux", Value: []byte("system_u:object_r:bin_t:s0\x00")}},
		"in-block":    {{Name: "user.big", Value: pattern(700)}},
		"in-both":     {{Name: "user.big", Value: pattern(701)}, {Name: "trusted.small", Value: []byte("t")}, {Name: "user.b", Value: pattern(13)}},
		"capability":  {{Name: "security.capability", Value: []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}},
		"acl":         {{Name: "system.posix_acl_access", Value: acl}},
		"shared1":     {{Name: "user.shared", Value: pattern(300)}},
		"shared2":     {{Name: "user.shared", Value: pattern(300)}},
		"high-bytes":  {{Name: "user.n\xe4me", Value: pattern(301)}},
		"many":        manyXattrs(),
	} {
		e := file(10)
		e.Xattrs = xattrs
		if name == "acl" {
			e.Mode = 0o670
		}
		add("xattrs/"+name, e)
	}
	d := filetree.Dir(0o770)
	d.Xattrs = []filetree.Xattr{{Name: "system.posix_acl_default", Value: acl}, {Name: "system.posix_acl_access", Value: acl}}
	add("xattrs/dir", d)
	s := filetree.Symlink("target")
	s.Xattrs = []filetree.Xattr{{Name: "trusted.link", Value: pattern(200)}}
	add("xattrs/symlink", s)

	add("holes/all", sparse(10<<20+1))
	add("holes/start", sparse(1<<20, filetree.Range{Offset: 1<<20 - 5000, Length: 5000}))
	add("holes/end", sparse(1<<20, filetree.Range{Offset: 0, Length: 4096}))
	add("holes/unaligned", sparse(100001, filetree.Range{Offset: 10, Length: 10}, filetree.Range{Offset: 100, Length: 5000},
		filetree.Range{Offset: 5100, Length: 1}, filetree.Range{Offset: 50000, Length: 20000}))
	var every []filetree.Range
	for i := range int64(1000) {
		every = append(every, filetree.Range{Offset: i * 8192, Length: 4096})
	}
	add("holes/many", sparse(8192*1000, every...))
	add("holes/huge", sparse(100<<30, filetree.Range{Offset: 99 << 30, Length: 70000}))
	return tr
}

func manyXattrs() (list []filetree.Xattr) {
	for i := range 20 {
		list = append(list, filetree.Xattr{Name: fmt.Sprintf("user.attribute%d", i), Value: pattern(i)})
	}
	return list
}

// times are what ext4 can hold, at its edges.
var times = []time.Time{
	time.Unix(-1<<31, 0), time.Unix(-1<<31, 1), time.Unix(-1, 999999999), time.Unix(0, 1), time.Unix(1<<31-1, 5),
	time.Unix(1<<31, 0), time.Unix(1<<32, 123456789), time.Unix(3<<32-1<<31-1, 1), time.Unix(1<<34-1<<31-1, 0),
}

// requireSame has the kernel's view of an image compared with its tree.
func requireSame(t *testing.T, want *filetree.Tree, dir string) {
	t.Helper()
	got, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer got.Close()
	diffs, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{
		Skip: func(path string) bool { return path == "lost+found" || strings.HasSuffix(path, "/huge") },
	})
	require.NoError(t, err)
	require.Empty(t, diffs)
}

func TestKernelSeesEverything(t *testing.T) {
	for _, blockSize := range []int{1024, 2048, 4096} {
		t.Run(fmt.Sprint(blockSize), func(t *testing.T) {
			tr := everything(t)
			image := write(t, &ext4.FileSystem{Tree: tr, BlockSize: blockSize, Label: "every thing"}, 64<<20)
			fsck(t, image)
			dir, unmount := mount(t, image, "ro")
			requireSame(t, tr, dir)
			require.NoError(t, tr.Walk(func(n filetree.Node) error {
				path := filepath.Join(dir, n.Path())
				switch {
				case strings.HasPrefix(n.Path(), "times/"):
					requireTimes(t, n, path)
				case strings.HasPrefix(n.Path(), "holes/"):
					requireHoles(t, n, path, int64(blockSize))
				}
				return nil
			}))
			unmount()
		})
	}
}

// requireTimes fails the test where the kernel sees other times.
func requireTimes(t *testing.T, n filetree.Node, path string) {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Lstat(path, &st))
	require.Equal(t, []time.Time{n.ModTime(), n.AccessTime(), n.ChangeTime()},
		[]time.Time{time.Unix(st.Mtim.Unix()).UTC(), time.Unix(st.Atim.Unix()).UTC(), time.Unix(st.Ctim.Unix()).UTC()}, path)
}

// requireHoles fails the test where the kernel sees data in other blocks of a
// file than those that the tree has data in.
func requireHoles(t *testing.T, n filetree.Node, path string, blockSize int64) {
	t.Helper()
	var want, got []int64
	for r := range n.Data() {
		for b := r.Offset / blockSize; b*blockSize < r.End(); b++ {
			want = append(want, b)
		}
	}
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	for pos := int64(0); ; {
		start, err := f.Seek(pos, unix.SEEK_DATA)
		if err != nil {
			require.ErrorIs(t, err, unix.ENXIO)
			break
		}
		pos, err = f.Seek(start, unix.SEEK_HOLE)
		require.NoError(t, err)
		for b := start / blockSize; b*blockSize < pos; b++ {
			got = append(got, b)
		}
	}
	require.Equal(t, slices.Compact(want), got, path)
}

// TestKernelWritesAtOnce changes a mounted image in all ways that meet what was
// written into it: directories with an index, shared attributes, a full group.
func TestKernelWritesAtOnce(t *testing.T) {
	for _, blockSize := range []int{1024, 4096} {
		t.Run(fmt.Sprint(blockSize), func(t *testing.T) {
			tr := everything(t)
			for i := range 5000 {
				_, err := tr.Add(fmt.Sprintf("many/ä name of some length %d", i), filetree.File([]byte("x"), 0o644))
				require.NoError(t, err)
			}
			image := write(t, &ext4.FileSystem{Tree: tr, BlockSize: blockSize}, 160<<20)
			fsck(t, image)
			dir, unmount := mount(t, image, "rw")
			change(t, dir)
			unmount()
			fsck(t, image)
			require.NotContains(t, tool(t, "dumpe2fs", "-h", image), "Error count")

			dir, unmount = mount(t, image, "ro")
			b, err := os.ReadFile(filepath.Join(dir, "big"))
			require.NoError(t, err)
			require.True(t, bytes.Equal(pattern(40<<20), b))
			list, err := os.ReadDir(filepath.Join(dir, "many"))
			require.NoError(t, err)
			require.Len(t, list, 5000-500+2000)
			unmount()
		})
	}
}

func change(t *testing.T, dir string) {
	t.Helper()
	name := func(s string, i int) string { return filepath.Join(dir, "many", fmt.Sprintf("%s %d", s, i)) }
	for i := range 2000 {
		require.NoError(t, os.WriteFile(name("new and rather a long name", i), []byte("new"), 0o600))
	}
	for i := range 500 {
		require.NoError(t, os.Remove(name("ä name of some length", i)))
		require.NoError(t, os.Rename(name("ä name of some length", 1000+i), name("renamed", i)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "big"), pattern(40<<20), 0o644))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "holes")))
	require.NoError(t, os.Remove(filepath.Join(dir, "xattrs/shared1")))
	require.NoError(t, unix.Setxattr(filepath.Join(dir, "xattrs/shared2"), "user.more", pattern(100), 0))
	require.NoError(t, unix.Setxattr(filepath.Join(dir, "xattrs/in-inode"), "user.more", pattern(100), 0))
	require.NoError(t, os.Truncate(filepath.Join(dir, "sizes/1048576"), 5000))
	f, err := os.OpenFile(filepath.Join(dir, "sizes/4096"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Write(pattern(3 << 20))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "new/deep/dir"), 0o755))
}

func TestWriteTwiceIsTheSame(t *testing.T) {
	forward, backward := filetree.New(), filetree.New()
	names := []string{}
	for i := range 3000 {
		names = append(names, fmt.Sprintf("d%d/%d", i%7, i))
	}
	add := func(tr *filetree.Tree, name string) {
		e := filetree.File([]byte(name), 0o644)
		e.ModTime = created
		_, err := tr.Add(name, e)
		require.NoError(t, err)
	}
	for i := range names {
		add(forward, names[i])
		add(backward, names[len(names)-1-i])
	}
	p, err := (&ext4.FileSystem{Tree: forward}).Plan(geometry(0))
	require.NoError(t, err)
	dir := t.TempDir()
	writePlan(t, p, filepath.Join(dir, "1"))
	writePlan(t, p, filepath.Join(dir, "2"))
	fsck(t, filepath.Join(dir, "1"))
	third := write(t, &ext4.FileSystem{Tree: backward}, p.Info().Size)
	want, err := os.ReadFile(filepath.Join(dir, "1"))
	require.NoError(t, err)
	for _, name := range []string{filepath.Join(dir, "2"), third} {
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), name)
	}
}

// TestGrowOnline has the kernel grow a mounted image.
func TestGrowOnline(t *testing.T) {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	var capabilities uint64
	_, effective, _ := strings.Cut(string(status), "CapEff:")
	_, err = fmt.Sscanf(effective, "%x", &capabilities)
	require.NoError(t, err)
	if capabilities&(1<<unix.CAP_SYS_RESOURCE) == 0 {
		t.Skip("the kernel wants CAP_SYS_RESOURCE of who resizes")
	}
	for _, blockSize := range []int{1024, 4096} {
		for _, to := range []int64{64 << 20, 300 << 20, 20 << 30} {
			t.Run(fmt.Sprintf("%d/%d", blockSize, to), func(t *testing.T) {
				image := write(t, &ext4.FileSystem{BlockSize: blockSize, Tree: everything(t)}, 32<<20)
				require.NoError(t, os.Truncate(image, to))
				dir, unmount := mount(t, image, "rw")
				tool(t, "resize2fs", strings.TrimSpace(tool(t, "findmnt", "-no", "SOURCE", dir)))
				requireSame(t, everything(t), dir)
				require.NoError(t, os.WriteFile(filepath.Join(dir, "new"), pattern(10<<20), 0o644))
				unmount()
				fsck(t, image)
				require.Equal(t, to/int64(blockSize), number(t, tool(t, "dumpe2fs", "-h", image), "Block count:"))
			})
		}
	}
}
