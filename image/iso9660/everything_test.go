package iso9660_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
)

// everything is a tree of all kinds of files that Rock Ridge holds.
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
	file := func(n int) filetree.Entry { return filetree.File(sample.Pattern(n), 0o644) }

	root := filetree.Dir(0o751)
	root.UID, root.GID = 1, 2
	add(".", root)
	for _, n := range []int{0, 1, 2047, 2048, 2049, 4096, 100000, 1 << 20} {
		add(fmt.Sprintf("sizes/%d", n), file(n))
	}
	for _, n := range []int{1, 59, 100, 101, 240, 248, 249, 250, 500, 1000} {
		add(fmt.Sprintf("symlinks/%d", n), filetree.Symlink(strings.Repeat("x", n)))
	}
	for i, target := range []string{
		"/", "/usr", "//usr//lib/", "..", "../..", "./.", "a/", "/../x/./y", "...", strings.Repeat("ab/", 300),
		strings.Repeat("../", 300) + "x", strings.Repeat(strings.Repeat("l", 246)+"/", 4), strings.Repeat(strings.Repeat("l", 255)+"/", 3) + "..",
	} {
		add(fmt.Sprintf("targets/%d", i), filetree.Symlink(target))
	}
	for _, name := range []string{
		" space ", "-rf", "new\nline", "ümlaut-ß", "日本語", "\xff\xfe", strings.Repeat("n", 250), strings.Repeat("n", 251), strings.Repeat("m", 253),
		"lower", "Lower", "LOWER", "LOWER_0", ".hidden", "many.dots.in.it", "trailing.", "a.b", "a_b", "longer than thirty-one characters.extension",
	} {
		add("names/"+name, file(3))
	}
	add("names/"+strings.Repeat("d", 253)+"/"+strings.Repeat("link", 60), filetree.Symlink(strings.Repeat("t/", 500)))
	for i, dev := range []filetree.Device{{}, {Major: 1, Minor: 3}, {Major: 255, Minor: 255}, {Major: 256, Minor: 1}, {Major: 4095, Minor: 255}} {
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
	for i, tm := range []time.Time{time.Unix(0, 0), time.Unix(1<<31-1, 0), time.Unix(1<<32, 0), time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC)} {
		e := file(i)
		e.ModTime, e.AccessTime, e.ChangeTime = tm, created, created.Add(time.Hour)
		add(fmt.Sprintf("times/%d", i), e)
	}
	link("links/size", "sizes/2049")
	link("links/a/b/c/size", "sizes/2049")
	link("links/empty", "sizes/0")
	link("links/symlink", "symlinks/59")
	link("links/device", "special/char1")
	link("a-link-before-its-file", "sizes/100000")
	add("deep/"+strings.Repeat("d/", 30)+"file", file(5))
	for i := range 300 {
		add(fmt.Sprintf("many/%d %s", i, strings.Repeat("n", i%200)), file(i%3))
		add(fmt.Sprintf("dirs/%d", i), filetree.Dir(0o755))
	}
	sparse := filetree.Entry{Mode: 0o644, Size: 10 << 20}
	add("holes/all", sparse)
	return tr
}

// addLongTargets adds links whose targets are longer than xorriso takes them.
func addLongTargets(t testing.TB, tr *filetree.Tree) {
	t.Helper()
	for i, target := range []string{
		strings.Repeat("x", 4095), strings.Repeat("ab/", 1365), strings.Repeat("../", 800) + "x", "/" + strings.Repeat("y", 4094),
		strings.Repeat(strings.Repeat("l", 255)+"/", 15) + "..", strings.Repeat("/", 1500),
	} {
		e := filetree.Symlink(target)
		e.ModTime = created
		_, err := tr.Add(fmt.Sprintf("long-targets/%d", i), e)
		require.NoError(t, err)
	}
}

// plain is a tree with nothing but names and contents, which Joliet holds.
func plain(t testing.TB) *filetree.Tree {
	t.Helper()
	tr := filetree.New()
	for _, name := range []string{
		"file", "UPPER", "Mixed Case.txt", "ümlaut-ß", "日本語", "a.b", "a-b", "a b", ".hidden", "many.dots.in.it", "\U0000ffee",
		strings.Repeat("n", 64), strings.Repeat("n", 60) + ".txt", "dir.with.dots/x", "deep/er/file", "empty",
	} {
		e := filetree.File([]byte(name), 0o644)
		e.ModTime = created
		_, err := tr.Add(name, e)
		require.NoError(t, err)
	}
	for i := range 400 {
		e := filetree.File(sample.Pattern(i), 0o644)
		e.ModTime = created
		_, err := tr.Add(fmt.Sprintf("many/%d %s", i, strings.Repeat("ä", i%60)), e)
		require.NoError(t, err)
	}
	return tr
}
