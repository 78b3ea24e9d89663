package filetree_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

// set puts an entry into a tree.
func set(t testing.TB, tr *filetree.Tree, path string, e filetree.Entry) {
	t.Helper()
	_, err := tr.Add(path, e)
	require.NoError(t, err)
}

// lines returns the differences as text.
func lines(diffs []filetree.Difference) []string {
	list := []string{}
	for _, d := range diffs {
		list = append(list, d.String())
	}
	return list
}

// sample adds to a tree one file of each kind. Where changed, each differs from
// what it is otherwise.
func sample(t testing.TB, changed bool) *filetree.Tree {
	tr := filetree.New()
	pick := func(a, b filetree.Entry) filetree.Entry {
		if changed {
			return b
		}
		return a
	}
	device := func(mode fs.FileMode, major, minor uint32) filetree.Entry {
		return filetree.Entry{Mode: mode, Device: filetree.Device{Major: major, Minor: minor}}
	}
	owned := func(uid, gid uint32, mode fs.FileMode) filetree.Entry {
		return filetree.Entry{Mode: mode, UID: uid, GID: gid}
	}
	xattrs := func(list ...string) filetree.Entry {
		e := filetree.Entry{}
		for _, x := range list {
			name, value, _ := strings.Cut(x, "=")
			e.Xattrs = append(e.Xattrs, filetree.Xattr{Name: name, Value: []byte(value)})
		}
		return e
	}
	set(t, tr, "content", filetree.File([]byte(pick0(changed, "the same", "the sAme")), 0o644))
	set(t, tr, "device", pick(device(fs.ModeDevice|fs.ModeCharDevice, 1, 3), device(fs.ModeDevice|fs.ModeCharDevice, 1, 5)))
	set(t, tr, "mode", pick(owned(0, 0, 0o755), owned(0, 0, 0o755|fs.ModeSetuid)))
	set(t, tr, "owner", pick(owned(1, 2, 0), owned(1, 3, 0)))
	set(t, tr, "size", filetree.File([]byte(pick0(changed, "long", "longer")), 0o644))
	set(t, tr, "target", pick(filetree.Symlink("a"), filetree.Symlink("b")))
	set(t, tr, "time", pick(filetree.Entry{ModTime: time.Unix(1, 0)}, filetree.Entry{ModTime: time.Unix(1, 999)}))
	set(t, tr, "type", pick(filetree.Dir(0o755), filetree.Entry{Mode: fs.ModeNamedPipe}))
	set(t, tr, "xattr", pick(xattrs("user.a=1", "user.b=2", "user.c=3"), xattrs("user.b=0", "user.c=3", "user.d=4")))
	if changed {
		set(t, tr, "z-unexpected", filetree.Symlink("nowhere"))
	} else {
		set(t, tr, "a-missing", filetree.Dir(0o755))
		set(t, tr, "a-missing/file", filetree.Entry{})
	}
	for _, name := range []string{"l1", "l2", "l3", "l4"} {
		first := "l1"
		if changed && name > "l2" {
			first = "l3"
		}
		if name == first {
			set(t, tr, name, filetree.Entry{})
		} else {
			_, err := tr.Link(name, first)
			require.NoError(t, err)
		}
	}
	return tr
}

func pick0(changed bool, a, b string) string {
	if changed {
		return b
	}
	return a
}

func TestDiff(t *testing.T) {
	got, err := filetree.Diff(t.Context(), sample(t, false), sample(t, true), filetree.DiffOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{
		`a-missing: missing: directory with 1 file`,
		`content: content 0x41 at byte 5, want 0x61`,
		`device: device 1:5, want 1:3`,
		`l3: hard link none, want to l1`,
		`l4: hard link to l3, want to l1`,
		`mode: mode 4755, want 0755`,
		`owner: owner 1:3, want 1:2`,
		`size: size 6, want 4`,
		`target: target "b", want "a"`,
		`time: modification time 1970-01-01T00:00:01.000000999Z, want 1970-01-01T00:00:01Z`,
		`type: type fifo, want directory with 0 files`,
		`xattr: extended attribute none, want user.a="1"`,
		`xattr: extended attribute user.b="0", want user.b="2"`,
		`xattr: extended attribute user.d="4", want no user.d`,
		`z-unexpected: unexpected: symbolic link to "nowhere"`,
	}, lines(got))
	same, err := filetree.Diff(t.Context(), sample(t, true), sample(t, true), filetree.DiffOptions{Aspects: ^filetree.Aspect(0)})
	require.NoError(t, err)
	require.Empty(t, same)
}

func TestDiffOptions(t *testing.T) {
	all := filetree.DefaultAspects
	for _, tt := range []struct {
		name string
		o    filetree.DiffOptions
		want string // the names of the files that differ
	}{
		{"one aspect", filetree.DiffOptions{Aspects: filetree.AspectOwner}, "owner"},
		{"all but some", filetree.DiffOptions{Aspects: all &^ (filetree.AspectName | filetree.AspectXattrs | filetree.AspectLinks)},
			"content device mode owner size target time type"},
		{"coarse times", filetree.DiffOptions{Aspects: filetree.AspectModTime, TimeResolution: time.Microsecond}, ""},
		{"times just apart", filetree.DiffOptions{Aspects: filetree.AspectModTime, TimeResolution: 999}, "time"},
		{"skip", filetree.DiffOptions{Aspects: filetree.AspectName, Skip: func(p string) bool { return p == "a-missing" }}, "z-unexpected"},
		{"skip on both sides", filetree.DiffOptions{Aspects: filetree.AspectOwner | filetree.AspectMode, Skip: func(p string) bool { return p == "owner" }}, "mode"},
		{"skip an attribute", filetree.DiffOptions{Aspects: filetree.AspectXattrs, SkipXattr: func(n string) bool { return n < "user.d" }}, "xattr"},
		{"limit", filetree.DiffOptions{Limit: 1, Aspects: filetree.AspectName}, "a-missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := filetree.Diff(t.Context(), sample(t, false), sample(t, true), tt.o)
			require.NoError(t, err)
			var names []string
			for _, d := range got {
				names = append(names, d.Path)
			}
			require.Equal(t, tt.want, strings.Join(names, " "))
		})
	}
}

// sparse returns a file of which the data is text at the given offsets.
func sparse(size int64, data map[int64]string) filetree.Entry {
	e := filetree.Entry{Size: size, Data: []filetree.Range{}}
	b := make([]byte, size)
	for at := range size {
		if text, ok := data[at]; ok {
			copy(b[at:], text)
			e.Data = append(e.Data, filetree.Range{Offset: at, Length: int64(len(text))})
		}
	}
	// No Seeker: holes have to be read over.
	e.Open = func() (filetree.Content, error) { return io.NopCloser(bytes.NewBuffer(bytes.Clone(b))), nil }
	return e
}

func TestDiffOfSparseFiles(t *testing.T) {
	const size = 3 << 20
	whole := make([]byte, size)
	copy(whole[1<<20:], "data")
	for _, tt := range []struct {
		name      string
		want, got filetree.Entry
		aspects   filetree.Aspect
		lines     []string
	}{
		{"same", sparse(size, map[int64]string{1 << 20: "data"}), sparse(size, map[int64]string{1 << 20: "data"}), ^filetree.Aspect(0), []string{}},
		{"other holes", sparse(size, map[int64]string{1 << 20: "data"}), filetree.File(whole, 0), 0, []string{}},
		{"other holes, compared", sparse(size, map[int64]string{1 << 20: "data"}), filetree.File(whole, 0), filetree.AspectHoles,
			[]string{"f: data [0+3145728], want [1048576+4]"}},
		{"data in a hole", sparse(size, nil), sparse(size, map[int64]string{2<<20 + 1: "\x00\x00x"}), 0,
			[]string{"f: content 0x78 at byte 2097155, want 0x00"}},
		{"a hole where there is data", sparse(size, map[int64]string{5: "x"}), filetree.Entry{Size: size}, 0,
			[]string{"f: content 0x00 at byte 5, want 0x78"}},
		{"ranges that overlap", sparse(size, map[int64]string{10: "abcdef"}), sparse(size, map[int64]string{7: "\x00\x00\x00abc", 13: "deF"}), 0,
			[]string{"f: content 0x46 at byte 15, want 0x66"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, got := filetree.New(), filetree.New()
			set(t, want, "f", tt.want)
			set(t, got, "f", tt.got)
			diffs, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{Aspects: tt.aspects})
			require.NoError(t, err)
			require.Equal(t, tt.lines, lines(diffs))
		})
	}
}

// TestDiffReadsNoHoles ends only if holes are not read.
func TestDiffReadsNoHoles(t *testing.T) {
	tr := filetree.New()
	set(t, tr, "f", filetree.Entry{Size: 1 << 60, Data: []filetree.Range{}})
	diffs, err := filetree.Diff(t.Context(), tr, tr, filetree.DiffOptions{})
	require.NoError(t, err)
	require.Empty(t, diffs)
}

func TestDiffErrors(t *testing.T) {
	errOpen := errors.New("broken")
	for _, tt := range []struct {
		name    string
		e       filetree.Entry
		want    error
		message string
	}{
		{"open", filetree.Entry{Size: 4, Open: func() (filetree.Content, error) { return nil, errOpen }}, errOpen, "open dir/f: broken"},
		{"short", content(4, "abc"), filetree.ErrChanged, "read dir/f: changed while it was read: it is shorter than its 4 bytes"},
		{"long", content(4, "abcde"), filetree.ErrChanged, "read dir/f: changed while it was read: it is longer than its 4 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, got := filetree.New(), filetree.New()
			set(t, want, "dir/f", filetree.File([]byte("abcd"), 0))
			set(t, got, "dir/f", tt.e)
			_, err := filetree.Diff(t.Context(), want, got, filetree.DiffOptions{})
			require.ErrorIs(t, err, tt.want)
			require.EqualError(t, err, tt.message)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := filetree.Diff(ctx, build(t, "f"), build(t, "f"), filetree.DiffOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

// content returns a file that has another content than its size says.
func content(size int64, text string) filetree.Entry {
	e := filetree.File([]byte(text), 0)
	e.Size = size
	return e
}

func TestAspectString(t *testing.T) {
	require.Equal(t, "mode, owner", (filetree.AspectMode | filetree.AspectOwner).String())
	require.Equal(t, "name, type, mode, owner, modification time, access time, change time, target, device, "+
		"extended attribute, hard link, size, content, data", (^filetree.Aspect(0)).String())
}
