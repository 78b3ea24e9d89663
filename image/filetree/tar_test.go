package filetree_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/image/filetree"
)

// archive returns a tar archive of the members, of which regular files hold their
// own name as often as their size says.
func archive(t testing.TB, members ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range members {
		if h.Mode == 0 && h.Typeflag != tar.TypeXGlobalHeader {
			h.Mode = 0o644
		}
		require.NoError(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := io.WriteString(w, strings.Repeat("x", int(h.Size)))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func reg(name string, size int64) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size}
}

func dir(name string) tar.Header { return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755} }

func link(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}
}

func symlink(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}
}

func TestFromTarNames(t *testing.T) {
	for _, tt := range []struct {
		name    string
		members []tar.Header
		want    []string // without the root
	}{
		{"forms of names", []tar.Header{dir("./"), dir("./a/"), reg("./a/b", 1), reg("c//d/./e", 2)},
			[]string{"a drwxr-xr-x", "a/b -rw-r--r-- 1", "c drwxr-xr-x", "c/d drwxr-xr-x", "c/d/e -rw-r--r-- 2"}},
		{"a directory after its files", []tar.Header{reg("a/b", 1), {Typeflag: tar.TypeDir, Name: "a", Mode: 0o700}},
			[]string{"a drwx------", "a/b -rw-r--r-- 1"}},
		{"a later file", []tar.Header{reg("a", 1), reg("b", 3), reg("a", 2)}, []string{"a -rw-r--r-- 2", "b -rw-r--r-- 3"}},
		{"a later link", []tar.Header{reg("a", 1), reg("b", 3), link("a", "b")}, []string{"a -rw-r--r-- 3 links=2", "b -rw-r--r-- 3 links=2"}},
		{"a later file for the first name", []tar.Header{reg("a", 1), link("b", "a"), link("c", "./a"), reg("a", 3)},
			[]string{"a -rw-r--r-- 3", "b -rw-r--r-- 1 links=2", "c -rw-r--r-- 1 links=2"}},
		{"a later file for the only other name", []tar.Header{reg("a", 1), link("b", "a"), reg("a", 3)},
			[]string{"a -rw-r--r-- 3", "b -rw-r--r-- 1"}},
		{"a link to itself", []tar.Header{reg("a", 1), link("b", "a"), link("a", "b"), link("b", "b")},
			[]string{"a -rw-r--r-- 1 links=2", "b -rw-r--r-- 1 links=2"}},
		{"a directory for a file", []tar.Header{reg("a", 1), dir("a"), reg("a/b", 1)}, []string{"a drwxr-xr-x", "a/b -rw-r--r-- 1"}},
		{"a file for an empty directory", []tar.Header{dir("a"), reg("a", 1)}, []string{"a -rw-r--r-- 1"}},
		{"removed in an empty directory", []tar.Header{dir("a"), symlink("a", "x"), dir("a"), symlink("a", "y")}, []string{"a Lrwxrwxrwx -> y"}},
		{"whiteouts are files", []tar.Header{reg("a/.wh.b", 0), reg("a/.wh..wh..opq", 0)},
			[]string{"a drwxr-xr-x", "a/.wh..wh..opq -rw-r--r-- 0", "a/.wh.b -rw-r--r-- 0"}},
		{"255 bytes", []tar.Header{reg(strings.Repeat("x", 255), 0)}, []string{strings.Repeat("x", 255) + " -rw-r--r-- 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr, err := filetree.TarOptions{LastWins: true}.From(bytes.NewReader(archive(t, tt.members...)))
			require.NoError(t, err)
			got := list(t, tr)
			require.Equal(t, tt.want, got[1:])
			require.Equal(t, len(got), tr.Len())
			for id := range tr.Len() {
				n := tr.Node(id)
				require.Equal(t, n, lookup(t, tr, n.Path()))
				if n.Mode().IsRegular() {
					text, err := read(t, n)
					require.NoError(t, err)
					require.Equal(t, strings.Repeat("x", int(n.Size())), text)
				}
			}
		})
	}
}

// TestFromTarRefusesNamesTwice has archives in a file and from a pipe.
func TestFromTarRefusesNamesTwice(t *testing.T) {
	long := strings.Repeat("long/", 60) + "a"
	for _, tt := range []struct {
		name    string
		members []tar.Header
		want    string // "" for none
	}{
		{"files", []tar.Header{reg("a", 600), reg("b", 1), reg("./a", 2)}, "tar a: file already exists: the archive has it at byte 0 and again at 2560: want one, or that the last wins"},
		{"the same, behind others", []tar.Header{dir("d"), reg("d/a", 1), symlink("b", "d"), reg("d/a", 1)},
			"tar d/a: file already exists: the archive has it at byte 512 and again at 2048: want one, or that the last wins"},
		{"a long name, of three headers", []tar.Header{reg("x", 1), reg(long, 1), reg(long, 1)},
			"tar " + long + ": file already exists: the archive has it at byte 1024 and again at 3072: want one, or that the last wins"},
		{"a link for a file", []tar.Header{reg("a", 0), reg("b", 0), link("a", "b")},
			"tar a: file already exists: the archive has it at byte 0 and again at 1024: want one, or that the last wins"},
		{"a file for a link", []tar.Header{reg("b", 0), link("a", "b"), reg("a", 0)},
			"tar a: file already exists: the archive has it at byte 512 and again at 1024: want one, or that the last wins"},
		{"an empty directory for a file", []tar.Header{reg("a", 0), dir("a")},
			"tar a: file already exists: the archive has it at byte 0 and again at 512: want one, or that the last wins"},
		{"a directory again", []tar.Header{dir("a"), reg("a/b", 0), dir("a")}, ""},
		{"a link to itself", []tar.Header{reg("a", 0), link("b", "a"), link("b", "a")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			whole := archive(t, tt.members...)
			for _, r := range []io.Reader{bytes.NewReader(whole), bytes.NewBuffer(whole)} {
				_, err := filetree.FromTar(r)
				if tt.want == "" {
					require.NoError(t, err)
					continue
				}
				require.ErrorIs(t, err, filetree.ErrExist)
				require.EqualError(t, err, tt.want)
			}
		})
	}
}

func TestFromTarRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		members []tar.Header
		is      error
		want    string
	}{
		{"absolute", []tar.Header{reg("/etc/passwd", 0)}, filetree.ErrBadPath, "tar /etc/passwd: bad path: it is absolute, want a path relative to the root"},
		{"dot-dot", []tar.Header{reg("a/../../b", 0)}, filetree.ErrBadPath, `tar a/../../b: bad path: it has the name ".."`},
		{"a long name", []tar.Header{reg("a/"+strings.Repeat("x", 256), 0)}, filetree.ErrBadPath,
			"tar a/" + strings.Repeat("x", 256) + `: bad path: the name "xxxxxxxxxxxxxxxxxxxx"... has 256 bytes, want at most 255`},
		{"a deep name", []tar.Header{reg(strings.Repeat("a/", 2048)+"b", 0)}, filetree.ErrBadPath,
			"tar " + strings.Repeat("a/", 2048) + "b: bad path: it is over 4095 bytes long"},
		{"below a symbolic link", []tar.Header{symlink("a", "/etc"), reg("a/passwd", 0)}, filetree.ErrNotDir, `tar a/passwd: parent "a": not a directory`},
		{"below a file", []tar.Header{reg("a", 0), dir("a/b")}, filetree.ErrNotDir, `tar a/b: parent "a": not a directory`},
		{"for a full directory", []tar.Header{reg("a/b", 0), reg("a", 0)}, filetree.ErrExist, "tar a: file already exists: as a directory that is not empty"},
		{"a link for a full directory", []tar.Header{reg("a/b", 0), reg("c", 0), link("a", "c")}, filetree.ErrExist, "tar a: file already exists: as a directory that is not empty"},
		{"the root as a file", []tar.Header{symlink(".", "x")}, filetree.ErrBadPath, `tar .: bad path: it has the name "."`},
		{"a link to nothing", []tar.Header{link("a", "b")}, filetree.ErrNotExist, `link a: target "b": file does not exist`},
		{"a link to a directory", []tar.Header{dir("b"), link("a", "b")}, filetree.ErrBadEntry, `link a: target "b": bad entry: it is a directory`},
		{"a link out", []tar.Header{link("a", "../b")}, filetree.ErrBadPath, `tar a: hard link to "../b": bad path: it has the name ".."`},
		{"an owner", []tar.Header{{Name: "a", Typeflag: tar.TypeReg, Uid: -5, Format: tar.FormatGNU}}, filetree.ErrBadEntry, "tar a: owner -5: bad entry: want 0 to 4294967295"},
		{"a device", []tar.Header{{Name: "a", Typeflag: tar.TypeChar, Devmajor: 4096}}, filetree.ErrBadEntry, "tar a: device 4096:0: bad entry: want at most 4095:1048575"},
		{"a target", []tar.Header{symlink("a", strings.Repeat("x", 4096))}, filetree.ErrBadEntry,
			`tar a: symbolic link's target "xxxxxxxxxxxxxxxxxxxx" of 4096 bytes: bad entry: want 1 to 4095 bytes and no NUL`},
		{"an attribute", []tar.Header{{Name: "a", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"SCHILY.xattr.x": "y"}}}, filetree.ErrBadEntry,
			`tar a: extended attribute "x": bad entry: want a name as user.x of at most 255 bytes`},
		{"an ACL with a name", []tar.Header{{Name: "a", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"SCHILY.acl.access": "user::rw-,user:alice:r--"}}}, filetree.ErrBadEntry,
			`tar a: SCHILY.acl.access: ACL entry "user:alice:r--": bad entry: "alice" is not a number (tar --xattrs --xattrs-include='*' keeps numbers)`},
		{"a global header", []tar.Header{{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"uid": "5"}}}, nil,
			`global header with "uid": unsupported operation`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "an owner" && strconv.IntSize == 32 {
				t.Skip("cannot be told from a large one")
			}
			_, err := filetree.FromTar(bytes.NewReader(archive(t, tt.members...)))
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestFromTarMetadata(t *testing.T) {
	when := time.Date(2031, 2, 3, 4, 5, 6, 789, time.UTC)
	uid := uint32(4294967294) // as an int, archive/tar's choice, less than 0 on 32 bits
	tr, err := filetree.FromTar(bytes.NewReader(archive(t, tar.Header{
		Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "of git"},
	}, tar.Header{
		Typeflag: tar.TypeReg, Name: "f", Mode: 0o7751, Uid: int(uid), Gid: 70000,
		ModTime: when, AccessTime: when.Add(1), ChangeTime: when.Add(2), Format: tar.FormatPAX,
		PAXRecords: map[string]string{
			"SCHILY.xattr.user.a":                "\x00\xff",
			"SCHILY.xattr.user.b%3Dc%25":         "",
			"LIBARCHIVE.xattr.user.a":            "aWdub3JlZA",
			"LIBARCHIVE.xattr.user.d%20":         "ZGF0YQ",
			"RHT.security.selinux":               "system_u:object_r:etc_t:s0",
			"SCHILY.acl.access":                  "user::rw-,user:alice:r--:1000,group::r-x,mask::rwx,other::---,user:7:-w-",
			"SCHILY.acl.default":                 "d:u::rwx\nd:g::---\nd:o:-- # nobody",
			"SCHILY.dev":                         "1",
			"LIBARCHIVE.creationtime":            "1",
			"drivebay.something.else.altogether": "1",
		},
	})))
	require.NoError(t, err)
	n := lookup(t, tr, "f")
	require.Equal(t, []any{uint16(0o107751), uint32(4294967294), uint32(70000)}, []any{n.UnixMode(), n.UID(), n.GID()})
	require.Equal(t, []time.Time{when, when.Add(1), when.Add(2)}, []time.Time{n.ModTime(), n.AccessTime(), n.ChangeTime()})
	var got []string
	for _, x := range n.Xattrs() {
		got = append(got, fmt.Sprintf("%s=%q", x.Name, x.Value))
	}
	require.Equal(t, []string{
		`security.selinux="system_u:object_r:etc_t:s0\x00"`,
		`system.posix_acl_access="\x02\x00\x00\x00` + `\x01\x00\x06\x00\xff\xff\xff\xff` + `\x02\x00\x02\x00\a\x00\x00\x00` +
			`\x02\x00\x04\x00\xe8\x03\x00\x00` + `\x04\x00\x05\x00\xff\xff\xff\xff` + `\x10\x00\a\x00\xff\xff\xff\xff` + ` \x00\x00\x00\xff\xff\xff\xff"`,
		`system.posix_acl_default="\x02\x00\x00\x00` + `\x01\x00\a\x00\xff\xff\xff\xff` + `\x04\x00\x00\x00\xff\xff\xff\xff` + ` \x00\x00\x00\xff\xff\xff\xff"`,
		`user.a="\x00\xff"`, `user.b=c%=""`, `user.d ="data"`,
	}, got)
}

func TestFromTarRefusesWhatEndsEarly(t *testing.T) {
	whole := archive(t, reg("a", 700), reg("b", 0))
	end := len(whole) - 1024
	for cut := range len(whole) {
		_, err := filetree.FromTar(bytes.NewReader(whole[:cut]))
		_, piped := filetree.FromTar(bytes.NewBuffer(whole[:cut]))
		if cut < end+512 {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d", cut)
			require.ErrorIs(t, piped, io.ErrUnexpectedEOF, "cut at %d", cut)
		} else if cut == end+512 {
			require.NoError(t, err)
			require.NoError(t, piped)
		}
	}
	_, err := filetree.FromTar(strings.NewReader(strings.Repeat("no tar. ", 200)))
	require.ErrorIs(t, err, tar.ErrHeader)
}

func TestFromTarReadsBehindTheEnd(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(append(archive(t, reg("a", 1)), make([]byte, 1<<20)...))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	packed := b.Bytes()
	_, err = filetree.FromTar(bytes.NewReader(packed))
	require.NoError(t, err)
	packed[len(packed)-8] ^= 1 // the checksum
	_, err = filetree.FromTar(bytes.NewReader(packed))
	require.ErrorContains(t, err, "tar: behind the archive's end: ")
}

// TestFromTarBeginsWhereTheFileStands reads an archive in the middle of a file.
func TestFromTarBeginsWhereTheFileStands(t *testing.T) {
	r := bytes.NewReader(append([]byte("before"), archive(t, reg("a", 5000), reg("b", 3))...))
	_, err := r.Seek(6, io.SeekStart)
	require.NoError(t, err)
	tr, err := filetree.FromTar(r)
	require.NoError(t, err)
	text, err := read(t, lookup(t, tr, "b"))
	require.NoError(t, err)
	require.Equal(t, "xxx", text)
}

func TestOpenTarReportsChanges(t *testing.T) {
	name := t.TempDir() + "/a.tar"
	require.NoError(t, os.WriteFile(name, archive(t, reg("a", 5)), 0o600))
	tr, err := filetree.OpenTar(name)
	require.NoError(t, err)
	require.NoError(t, os.Chtimes(name, time.Time{}, time.Unix(1, 0)))
	_, err = read(t, lookup(t, tr, "a"))
	require.ErrorIs(t, err, filetree.ErrChanged)
	require.NoError(t, tr.Close())
	require.NoError(t, tr.Close())
	_, err = filetree.OpenTar(name + ".none")
	require.ErrorIs(t, err, filetree.ErrNotExist)
}

func TestFromTarSeeks(t *testing.T) {
	tr, err := filetree.FromTar(bytes.NewReader(archive(t, reg("a", 5))))
	require.NoError(t, err)
	c, err := lookup(t, tr, "a").Open()
	require.NoError(t, err)
	s := c.(io.Seeker)
	for _, tt := range []struct {
		offset int64
		whence int
		want   int64
	}{{3, io.SeekStart, 3}, {1, io.SeekCurrent, 4}, {-5, io.SeekEnd, 0}} {
		pos, err := s.Seek(tt.offset, tt.whence)
		require.NoError(t, err)
		require.Equal(t, tt.want, pos)
		rest, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Len(t, rest, int(5-tt.want))
		_, err = s.Seek(tt.want, io.SeekStart)
		require.NoError(t, err)
	}
	_, err = s.Seek(-1, io.SeekStart)
	require.Error(t, err)
}

func FuzzFromTar(f *testing.F) {
	f.Add(archive(f, dir("a"), reg("a/b", 700), link("c", "a/b"), symlink("d", "c"), reg("c", 3), dir("d")))
	f.Add(archive(f, tar.Header{Typeflag: tar.TypeReg, Name: "f", PAXRecords: map[string]string{
		"SCHILY.xattr.user.a": "b", "SCHILY.acl.access": "user::rw-,user:7:r--,group::r-x,mask::rwx,other::---",
	}}))
	f.Add(oldSparse)
	f.Add(sparse10(f, "2\n0\n3\n4096\n2\n", 512+5, 5000))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 || len(data) > 1 && (data[0] == 0x1f || data[0] == 0xfd || data[0] == 0x28 || data[0] == 'B') {
			return // the unpackers are not ours
		}
		tr, err := filetree.FromTar(bytes.NewReader(data))
		if err != nil {
			return
		}
		names := 0
		require.NoError(t, tr.Walk(func(n filetree.Node) error {
			names++
			require.Equal(t, n, lookup(t, tr, n.Path()))
			end := int64(0)
			for r := range n.Data() {
				require.True(t, r.Offset >= end && r.Length > 0 && r.End() <= n.Size())
				end = r.End()
			}
			if n.Mode().IsRegular() {
				require.NoError(t, n.Stream(func(r io.Reader, at filetree.Range) error {
					_, err := io.CopyN(io.Discard, r, at.Length)
					return err
				}))
			}
			return nil
		}))
		require.Equal(t, tr.Len(), names)
	})
}

// patched is an archive of a size that nobody could store: zeros but for a few
// pieces.
type patched struct {
	size   int64
	pieces map[int64][]byte
}

func (p patched) ReadAt(b []byte, off int64) (int, error) {
	n := int(min(int64(len(b)), p.size-off))
	if n <= 0 {
		return 0, io.EOF
	}
	clear(b[:n])
	for at, piece := range p.pieces {
		if skip := off - at; skip < 0 && -skip < int64(n) {
			copy(b[-skip:n], piece)
		} else if skip >= 0 && skip < int64(len(piece)) {
			copy(b[:n], piece[skip:])
		}
	}
	return n, nil
}

func (p patched) Seek(int64, int) (int64, error) { return 0, nil }

// TestFromTarReadsHugeArchives has members on both sides of 2 TiB.
func TestFromTarReadsHugeArchives(t *testing.T) {
	const huge = int64(5 << 40)
	header := archive(t, reg("c", 0))[:512]
	big := bytes.Clone(header)
	copy(big, "b")
	copy(big[124:136], "\x80\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00") // base 256
	copy(big[148:], "        ")
	sum := 0
	for _, c := range big {
		sum += int(c)
	}
	copy(big[148:], fmt.Sprintf("%06o\x00 ", sum))
	small := archive(t, reg("a", 5))[:1024]
	last := archive(t, reg("z", 7))
	head := append(bytes.Clone(small), big...)
	tr, err := filetree.FromTar(struct {
		patched
		io.Reader
	}{patched{int64(len(head)) + huge + int64(len(last)), map[int64][]byte{0: head, int64(len(head)) + huge: last}}, bytes.NewReader(head)})
	require.NoError(t, err)
	require.Equal(t, []string{". drwxr-xr-x", "a -rw-r--r-- 5", fmt.Sprint("b -rw-r--r-- ", huge), "z -rw-r--r-- 7"}, list(t, tr))
	for name, want := range map[string]string{"a": "xxxxx", "z": "xxxxxxx"} {
		text, err := read(t, lookup(t, tr, name))
		require.NoError(t, err)
		require.Equal(t, want, text)
	}
}
