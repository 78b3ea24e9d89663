package squashfs_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/sample"
)

// everything is a tree of all kinds of files.
func everything(t testing.TB) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	add := func(path string, e filetree.Entry) {
		t.Helper()
		if e.ModTime.IsZero() {
			e.ModTime = imagetest.Created.Add(123456789)
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

	root := filetree.Dir(0o751)
	root.UID, root.GID = 1, 2
	root.Xattrs = []filetree.Xattr{{Name: "user.root", Value: []byte("yes")}}
	add(".", root)
	for _, n := range []int{0, 1, 4095, 4096, 4097, 8192, 100000, 1<<17 - 1, 1 << 17, 1<<17 + 1, 1 << 20, 2<<20 + 12345} {
		add(fmt.Sprintf("sizes/%d", n), file(n))
		add(fmt.Sprintf("noise/%d", n), filetree.File(sample.Noise(uint64(n), n), 0o600))
	}
	for _, n := range []int{1, 59, 60, 300, 4095} {
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
	for i, mode := range []fs.FileMode{0, 0o777, fs.ModeSetuid | 0o755, fs.ModeSetgid | 0o711, fs.ModeSticky | 0o1, fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky | 0o777} {
		e := file(i)
		e.Mode, e.UID, e.GID = mode, uint32(i)*70000, 4000000000+uint32(i)
		add(fmt.Sprintf("modes/%d", i), e)
		add(fmt.Sprintf("modes/dir%d", i), filetree.Entry{Mode: fs.ModeDir | mode, UID: 1 << 31, GID: 1 << 16})
	}
	for i, sec := range []int64{0, 1, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		e := file(i)
		e.ModTime = time.Unix(sec, 999)
		add(fmt.Sprintf("times/%d", i), e)
	}
	addXattrs(add, file)
	link("links/size", "sizes/4097")
	link("links/a/b/c/size", "sizes/4097")
	link("links/large", "noise/2109497")
	link("links/empty", "sizes/0")
	link("links/symlink", "symlinks/60")
	link("links/device", "special/char1")
	link("links/fifo", "special/fifo")
	link("a-link-before-its-file", "sizes/100000")

	add("holes/all", sample.Sparse(10<<20+1))
	add("holes/short", sample.Sparse(1000))
	add("holes/block", sample.Sparse(1<<17))
	add("holes/start", sample.Sparse(1<<20, filetree.Range{Offset: 1<<20 - 5000, Length: 5000}))
	add("holes/end", sample.Sparse(1<<20, filetree.Range{Offset: 0, Length: 4096}))
	add("holes/tail", sample.Sparse(1<<20+100, filetree.Range{Offset: 1 << 20, Length: 10}))
	add("holes/tail-is-hole", sample.Sparse(1<<20+100, filetree.Range{Offset: 0, Length: 1 << 20}))
	add("holes/unaligned", sample.Sparse(600001, filetree.Range{Offset: 10, Length: 10}, filetree.Range{Offset: 100, Length: 5000},
		filetree.Range{Offset: 5100, Length: 1}, filetree.Range{Offset: 50000, Length: 20000}, filetree.Range{Offset: 599990, Length: 5}))
	add("holes/zeros-that-are-data", filetree.File(make([]byte, 300000), 0o644))
	add("holes/huge", sample.Sparse(20<<30, filetree.Range{Offset: 19 << 30, Length: 700000}))
	for i := range 3 {
		add(fmt.Sprintf("doubles/large%d", i), filetree.File(sample.Noise(1, 300000), 0o644))
		add(fmt.Sprintf("doubles/same-size%d", i), filetree.File(sample.Noise(uint64(100+i), 300000), 0o644))
		add(fmt.Sprintf("doubles/small%d", i), filetree.File(sample.Noise(1, 5000), 0o644))
		add(fmt.Sprintf("doubles/small-same-size%d", i), filetree.File(sample.Noise(uint64(100+i), 5000), 0o644))
	}
	add("doubles/empty-dir", filetree.Dir(0o700))
	return tr
}

func addXattrs(add func(string, filetree.Entry), file func(int) filetree.Entry) {
	for name, xattrs := range map[string][]filetree.Xattr{
		"empty-value": {{Name: "user.e"}},
		"several":     {{Name: "user.a", Value: []byte("1")}, {Name: "security.selinux", Value: []byte("system_u:object_r:bin_t:s0\x00")}, {Name: "trusted.t", Value: []byte("t")}},
		"inline":      {{Name: "user.big", Value: sample.Pattern(128)}},
		"elsewhere":   {{Name: "user.big", Value: sample.Pattern(129)}, {Name: "user.small", Value: sample.Pattern(5)}},
		"capability":  {{Name: "security.capability", Value: []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}},
		"shared1":     {{Name: "user.shared", Value: sample.Pattern(300)}},
		"shared2":     {{Name: "user.shared", Value: sample.Pattern(300)}},
		"same-value":  {{Name: "user.other", Value: sample.Pattern(300)}},
		"high-bytes":  {{Name: "user.n\xe4me", Value: sample.Pattern(301)}},
	} {
		e := file(10)
		e.Xattrs = xattrs
		add("xattrs/"+name, e)
	}
	d := filetree.Dir(0o770)
	d.Xattrs = []filetree.Xattr{{Name: "user.dir", Value: []byte("d")}}
	add("xattrs/dir", d)
	s := filetree.Symlink("target")
	s.Xattrs = []filetree.Xattr{{Name: "trusted.link", Value: sample.Pattern(200)}}
	add("xattrs/symlink", s)
	dev := filetree.Entry{Mode: fs.ModeDevice | 0o600, Device: filetree.Device{Major: 1, Minor: 2}, Xattrs: s.Xattrs}
	add("xattrs/device", dev)
	add("xattrs/fifo", filetree.Entry{Mode: fs.ModeNamedPipe | 0o600, Xattrs: s.Xattrs})
}

// addLongXattrs adds attributes that few file systems can hold.
func addLongXattrs(t testing.TB, tr *filetree.Tree) {
	t.Helper()
	var many []filetree.Xattr
	for i := range 600 {
		many = append(many, filetree.Xattr{Name: fmt.Sprintf("user.attribute%d", i), Value: sample.Noise(uint64(i), 120)})
	}
	for name, xattrs := range map[string][]filetree.Xattr{
		"longest": {{Name: "user.big", Value: sample.Noise(7, 65536)}},
		"many":    many,
	} {
		e := filetree.File(nil, 0o644)
		e.ModTime, e.Xattrs = imagetest.Created, xattrs
		_, err := tr.Add("long-xattrs/"+name, e)
		require.NoError(t, err)
	}
}
