package ext4_test

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
)

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
	tr := almostEverything(t)
	for _, name := range []string{"\xff\xfe", strings.Repeat("n", filetree.MaxName)} {
		_, err := tr.Add("names/"+name, filetree.File(sample.Pattern(3), 0o644))
		require.NoError(t, err)
	}
	return tr
}

// almostEverything leaves out the names that an fs.FS and go-diskfs cannot have.
func almostEverything(t testing.TB) *filetree.Tree {
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
	file := func(n int) filetree.Entry { return filetree.File(sample.Pattern(n), 0o644) }
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
	for _, name := range []string{" space ", "-rf", "new\nline", "ümlaut-ß", "日本語", strings.Repeat("n", 247)} {
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
		"in-block":    {{Name: "user.big", Value: sample.Pattern(700)}},
		"in-both":     {{Name: "user.big", Value: sample.Pattern(701)}, {Name: "trusted.small", Value: []byte("t")}, {Name: "user.b", Value: sample.Pattern(13)}},
		"capability":  {{Name: "security.capability", Value: []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}},
		"acl":         {{Name: "system.posix_acl_access", Value: acl}},
		"shared1":     {{Name: "user.shared", Value: sample.Pattern(300)}},
		"shared2":     {{Name: "user.shared", Value: sample.Pattern(300)}},
		"high-bytes":  {{Name: "user.n\xe4me", Value: sample.Pattern(301)}},
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
	s.Xattrs = []filetree.Xattr{{Name: "trusted.link", Value: sample.Pattern(200)}}
	add("xattrs/symlink", s)

	add("holes/all", sample.Sparse(10<<20+1))
	add("holes/start", sample.Sparse(1<<20, filetree.Range{Offset: 1<<20 - 5000, Length: 5000}))
	add("holes/end", sample.Sparse(1<<20, filetree.Range{Offset: 0, Length: 4096}))
	add("holes/unaligned", sample.Sparse(100001, filetree.Range{Offset: 10, Length: 10}, filetree.Range{Offset: 100, Length: 5000},
		filetree.Range{Offset: 5100, Length: 1}, filetree.Range{Offset: 50000, Length: 20000}))
	var every []filetree.Range
	for i := range int64(1000) {
		every = append(every, filetree.Range{Offset: i * 8192, Length: 4096})
	}
	add("holes/many", sample.Sparse(8192*1000, every...))
	add("holes/huge", sample.Sparse(100<<30, filetree.Range{Offset: 99 << 30, Length: 70000}))
	return tr
}

func manyXattrs() (list []filetree.Xattr) {
	for i := range 20 {
		list = append(list, filetree.Xattr{Name: fmt.Sprintf("user.attribute%d", i), Value: sample.Pattern(i)})
	}
	return list
}

// times are what ext4 can hold, at its edges.
var times = []time.Time{
	time.Unix(-1<<31, 0), time.Unix(-1<<31, 1), time.Unix(-1, 999999999), time.Unix(0, 1), time.Unix(1<<31-1, 5),
	time.Unix(1<<31, 0), time.Unix(1<<32, 123456789), time.Unix(3<<32-1<<31-1, 1), time.Unix(1<<34-1<<31-1, 0),
}
