package initramfs_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/integration/vm/initramfs"
)

// sample returns an archive with a name of every type.
func sample(t testing.TB) *initramfs.Archive {
	var a initramfs.Archive
	for name, e := range map[string]initramfs.Entry{
		"init":        {Mode: 0o755, Data: []byte("#!")},
		"dir/sub/odd": {Mode: 0o640 | fs.ModeSetgid, Data: []byte("12345")},
		"dir/empty":   {Mode: 0o600},
		"dir":         {Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		"link":        {Mode: fs.ModeSymlink | 0o777, Data: []byte("dir/sub")},
		"dev/console": {Mode: fs.ModeDevice | fs.ModeCharDevice | 0o600, Major: 5, Minor: 1},
		"dev/disk":    {Mode: fs.ModeDevice | 0o660, Major: 259, Minor: 1 << 19},
		"pipe":        {Mode: fs.ModeNamedPipe | 0o622},
		"späte":       {Mode: 0o644, Size: 3, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("abc")), nil }},
	} {
		require.NoError(t, a.Add(name, e))
	}
	return &a
}

func write(t testing.TB, a *initramfs.Archive) []byte {
	var b bytes.Buffer
	n, err := a.WriteTo(&b)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	return b.Bytes()
}

func TestSameBytesInAnyOrder(t *testing.T) {
	want := write(t, sample(t))
	for range 5 { // a map's order differs
		require.Equal(t, want, write(t, sample(t)))
	}
}

// TestCpioLists lets GNU cpio judge.
func TestCpioLists(t *testing.T) {
	cpio := exec.Command(fixture.RequireTool(t, "cpio"), "-tvn", "--quiet")
	cpio.Stdin = bytes.NewReader(write(t, sample(t)))
	cpio.Env = []string{"LC_ALL=C", "TZ=UTC"}
	out, err := cpio.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, `drwxr-xr-x   2 0        0               0 Jan  1  1970 dev
crw-------   1 0        0          5,   1 Jan  1  1970 dev/console
brw-rw----   1 0        0        259, 524288 Jan  1  1970 dev/disk
drwxrwxrwt   2 0        0               0 Jan  1  1970 dir
-rw-------   1 0        0               0 Jan  1  1970 dir/empty
drwxr-xr-x   2 0        0               0 Jan  1  1970 dir/sub
-rw-r-S---   1 0        0               5 Jan  1  1970 dir/sub/odd
-rwxr-xr-x   1 0        0               2 Jan  1  1970 init
lrwxrwxrwx   1 0        0               7 Jan  1  1970 link -> dir/sub
prw--w--w-   1 0        0               0 Jan  1  1970 pipe
-rw-r--r--   1 0        0               3 Jan  1  1970 späte
`, string(out))
}

// TestReadCpio reads what GNU cpio has written.
func TestReadCpio(t *testing.T) {
	dir := t.TempDir()
	script := `mkdir a && echo text >a/file && ln -s a b && mkfifo p && printf 'a\na/file\nb\np\n' | cpio -o --quiet -H newc`
	cpio := exec.Command("sh", "-c", script)
	fixture.RequireTool(t, "cpio")
	cpio.Dir = dir
	out, err := cpio.Output()
	require.NoError(t, err)
	require.Equal(t, []string{
		`a drwxr-xr-x ""`, `a/file -rw-r--r-- "text\n"`, `b Lrwxrwxrwx "a"`, `p prw-r--r-- ""`,
	}, list(t, out))
}

func list(t testing.TB, b []byte) (names []string) {
	r := initramfs.NewReader(bytes.NewReader(b))
	for {
		name, e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		require.NoError(t, err)
		body, err := io.ReadAll(r)
		require.NoError(t, err)
		require.EqualValues(t, e.Size, len(body))
		names = append(names, fmt.Sprintf("%s %v %q", name, e.Mode, body))
	}
}

func TestAddRefuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		entry initramfs.Entry
		want  string
	}{
		{"", initramfs.Entry{}, `add "" to initramfs: the name has to be a relative path, with no dots for folders`},
		{"/a", initramfs.Entry{}, `add "/a" to initramfs: the name has to be a relative path, with no dots for folders`},
		{"a/../b", initramfs.Entry{}, `add "a/../b" to initramfs: the name has to be a relative path, with no dots for folders`},
		{"a\x00", initramfs.Entry{}, `add "a\x00" to initramfs: the name holds a NUL`},
		{"TRAILER!!!", initramfs.Entry{}, `add "TRAILER!!!" to initramfs: the name means the end of the archive`},
		{"a", initramfs.Entry{Mode: fs.ModeSocket}, `add "a" to initramfs: an archive has no files of the type S---------`},
		{"a", initramfs.Entry{Mode: fs.ModeSymlink}, `add "a" to initramfs: a symbolic link has a target of 1 to 4095 bytes in Data`},
		{"a", initramfs.Entry{Mode: fs.ModeDir, Data: []byte("x")}, `add "a" to initramfs: d--------- has no content`},
		{"a", initramfs.Entry{Size: 1 << 32, Open: func() (io.ReadCloser, error) { return nil, nil }}, `add "a" to initramfs: its size 4294967296 is not from 0 to 4294967295`},
		{"taken", initramfs.Entry{}, `add "taken" to initramfs: the name is taken`},
		{"taken/below", initramfs.Entry{}, `add "taken/below" to initramfs: "taken" is no directory`},
	} {
		var a initramfs.Archive
		require.NoError(t, a.Add("taken", initramfs.Entry{}))
		require.EqualError(t, a.Add(tc.name, tc.entry), tc.want)
	}
}

func TestWriteNoticesAChangedFile(t *testing.T) {
	for _, body := range []string{"ab", "abcd"} {
		var a initramfs.Archive
		require.NoError(t, a.Add("f", initramfs.Entry{Size: 3, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(body)), nil
		}}))
		_, err := a.WriteTo(io.Discard)
		require.EqualError(t, err, "write initramfs: f: it has changed its size, which was 3")
	}
}

func TestReadBadArchive(t *testing.T) {
	good := write(t, sample(t))
	for cut := range good {
		r := initramfs.NewReader(bytes.NewReader(good[:cut]))
		var err error
		for err == nil {
			_, _, err = r.Next()
		}
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d", cut)
	}
	for name, at := range map[string]int{"magic": 0, "digits": 8, "type": 14, "name": 113} {
		bad := bytes.Clone(good)
		bad[at] = 'x'
		_, _, err := initramfs.NewReader(bytes.NewReader(bad)).Next()
		require.ErrorIs(t, err, initramfs.ErrFormat, name)
	}
}

// FuzzReader wants an archive that can be read to be the same after it was
// written and read again.
func FuzzReader(f *testing.F) {
	f.Add(write(f, sample(f)))
	f.Add([]byte("070701"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := reread(bufio.NewReader(bytes.NewReader(b)))
		if !ok {
			return
		}
		once := write(t, a)
		again, ok := reread(bytes.NewReader(once))
		require.True(t, ok)
		require.Equal(t, once, write(t, again))
	})
}

// reread makes an archive of what a reader reads, as far as one can hold it.
func reread(src io.Reader) (*initramfs.Archive, bool) {
	var a initramfs.Archive
	for r := initramfs.NewReader(src); ; {
		name, e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return &a, true
		}
		if err != nil {
			return nil, false
		}
		if e.Data, err = io.ReadAll(r); err != nil {
			return nil, false
		}
		if err := a.Add(name, e); err != nil {
			return nil, false
		}
	}
}

func ExampleArchive() {
	var a initramfs.Archive
	if err := a.Add("etc/hostname", initramfs.Entry{Mode: 0o644, Data: []byte("guest\n")}); err != nil {
		fmt.Println(err)
	}
	var b bytes.Buffer
	n, err := a.WriteTo(&b)
	fmt.Println(n, err)
	for r := initramfs.NewReader(&b); ; {
		name, e, err := r.Next()
		if err != nil {
			break
		}
		fmt.Println(e.Mode, e.Size, name)
	}
	// Output:
	// 372 <nil>
	// drwxr-xr-x 0 etc
	// -rw-r--r-- 6 etc/hostname
}

func BenchmarkWrite(b *testing.B) {
	var a initramfs.Archive
	require.NoError(b, a.Add("init", initramfs.Entry{Mode: 0o755, Data: make([]byte, 16<<20)}))
	b.ReportAllocs()
	b.SetBytes(16 << 20)
	for b.Loop() {
		if _, err := a.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
