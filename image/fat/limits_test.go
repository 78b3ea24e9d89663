package fat_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image/fat"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/volume"
)

// add adds an entry to a tree.
func add(t testing.TB, tr *filetree.Tree, path string, e filetree.Entry) {
	t.Helper()
	_, err := tr.Add(path, e)
	require.NoError(t, err)
}

func TestRefused(t *testing.T) {
	deep := filetree.New()
	for i := range 60000 {
		add(t, deep, fmt.Sprintf("big/long name %d", i), filetree.File(nil, 0o644))
	}
	for _, tc := range []struct {
		name string
		tree map[string]filetree.Entry
		big  bool
		is   error
		want string
	}{
		{name: "symlink", tree: map[string]filetree.Entry{"d/s": filetree.Symlink("t")}, is: fat.ErrUnsupported, want: "fat d/s: symbolic link to t"},
		{name: "device", tree: map[string]filetree.Entry{"n": {Mode: fs.ModeDevice | fs.ModeCharDevice, Device: filetree.Device{Major: 1, Minor: 3}}}, is: fat.ErrUnsupported, want: "fat n: character device 1:3"},
		{name: "block", tree: map[string]filetree.Entry{"n": {Mode: fs.ModeDevice, Device: filetree.Device{Major: 7}}}, is: fat.ErrUnsupported, want: "fat n: block device 7:0"},
		{name: "fifo", tree: map[string]filetree.Entry{"n": {Mode: fs.ModeNamedPipe}}, is: fat.ErrUnsupported, want: "fat n: FIFO"},
		{name: "socket", tree: map[string]filetree.Entry{"n": {Mode: fs.ModeSocket}}, is: fat.ErrUnsupported, want: "fat n: socket"},
		{name: "collision", tree: map[string]filetree.Entry{"d/ReadMe": {}, "d/README": {}}, is: fat.ErrCollision, want: `fat d/ReadMe: names are the same but for case: "README" and "ReadMe"`},
		{name: "collision beyond ASCII", tree: map[string]filetree.Entry{"é": {}, "É": {}}, is: fat.ErrCollision, want: `"É" and "é"`},
		{name: "character", tree: map[string]filetree.Entry{"d/a:b": {}}, is: fat.ErrName, want: "fat d/a:b: name cannot be held by FAT: it contains ':'"},
		{name: "encoding", tree: map[string]filetree.Entry{"caf\xe9": {}}, is: fat.ErrName, want: "not UTF-8"},
		{name: "directory's name", tree: map[string]filetree.Entry{"a./b": {}}, is: fat.ErrName, want: "fat a.: "},
		{name: "file of 4 GiB", tree: map[string]filetree.Entry{"d/big": {Size: 4 * gib}}, is: fat.ErrTooLarge, want: "fat d/big: file of 4294967296 bytes: too large for FAT: want at most 4294967295"},
		{name: "directory", big: true, is: fat.ErrTooLarge, want: "fat big: directory of 179002 entries: too large for FAT: want at most 65536"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tr := deep
			if !tc.big {
				tr = filetree.New()
				for path, e := range tc.tree {
					add(t, tr, path, e)
				}
			}
			_, err := (&fat.FileSystem{Tree: tr}).Plan(t.Context(), geometry(16*gib))
			require.ErrorIs(t, err, tc.is)
			require.ErrorContains(t, err, tc.want)
			var path *filetree.PathError
			require.ErrorAs(t, err, &path)
		})
	}
}

// All that is wrong is told at once, up to a number.
func TestRefusedMany(t *testing.T) {
	tr := filetree.New()
	for i := range 25 {
		add(t, tr, fmt.Sprintf("link%02d", i), filetree.Symlink("t"))
	}
	add(t, tr, "what?", filetree.File(nil, 0o644))
	_, err := (&fat.FileSystem{Tree: tr}).Plan(t.Context(), geometry(mib))
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 11)
	require.Equal(t, "fat link09: symbolic link to t: FAT has no such files", lines[9])
	require.Equal(t, "and 16 more such problems", lines[10])
}

func TestDropped(t *testing.T) {
	tr := filetree.New()
	add(t, tr, "b", filetree.File([]byte("content"), 0o644))
	_, err := tr.Link("c", "b")
	require.NoError(t, err)
	e := filetree.File([]byte("x"), 0o644)
	e.Xattrs = []filetree.Xattr{{Name: "user.y"}, {Name: "security.selinux", Value: []byte("label")}, {Name: "user.x"}}
	add(t, tr, "x", e)
	_, err = (&fat.FileSystem{Tree: tr}).Plan(t.Context(), geometry(mib))
	require.ErrorIs(t, err, fat.ErrUnsupported)
	require.ErrorContains(t, err, "fat c: hard link to b")
	add(t, tr, "d/null", filetree.Entry{Mode: fs.ModeDevice | fs.ModeCharDevice, Device: filetree.Device{Major: 1, Minor: 3}})
	add(t, tr, "d/link", filetree.Symlink("../b"))

	img, info := build(t, &fat.FileSystem{Tree: tr, Drop: true}, geometry(mib))
	require.Equal(t, []string{
		"c: hard link to b, copied",
		"x: extended attributes user.x, user.y",
		"d/link: symbolic link to ../b",
		"d/null: character device 1:3",
	}, info.Dropped)
	require.Equal(t, int64(4), info.Files)
	fsck(t, img)
	require.Equal(t, "content", run(t, "mtype", "-i", img, "::b"))
	require.Equal(t, "content", run(t, "mtype", "-i", img, "::c"))
	require.NotContains(t, run(t, "mdir", "-i", img, "::d"), "link")
}

func TestBadOptions(t *testing.T) {
	for _, tc := range []struct {
		name string
		fs   fat.FileSystem
		g    volume.Geometry
		want string
	}{
		{"label too long", fat.FileSystem{Label: "TWELVE BYTES"}, geometry(mib), `label "TWELVE BYTES" of 12 bytes`},
		{"label's characters", fat.FileSystem{Label: "A.B"}, geometry(mib), `label "A.B": bad option: want ASCII without`},
		{"label beyond ASCII", fat.FileSystem{Label: "é"}, geometry(mib), "want ASCII"},
		{"label of a space", fat.FileSystem{Label: " "}, geometry(mib), "no space at either end"},
		{"type", fat.FileSystem{Type: 17}, geometry(mib), "type 17: bad option: want 12, 16, 32"},
		{"cluster size", fat.FileSystem{ClusterSize: 3000}, geometry(mib), "cluster size of 3000 bytes"},
		{"cluster below sector", fat.FileSystem{ClusterSize: 512}, volume.Geometry{SectorSize: 4096, Size: mib}, "from the sector size, 4096, to 65536"},
		{"cluster too large", fat.FileSystem{ClusterSize: 128 << 10}, geometry(mib), "to 65536"},
		{"sector size", fat.FileSystem{}, volume.Geometry{SectorSize: 8192, Size: mib}, "sector size of 8192 bytes"},
		{"size", fat.FileSystem{}, geometry(mib + 1), "volume size of 1048577 bytes"},
		{"offset", fat.FileSystem{}, volume.Geometry{SectorSize: 4096, Offset: 512, Size: mib}, "volume offset of 512 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := tc.fs.Plan(t.Context(), tc.g)
			require.ErrorIs(t, err, fat.ErrOption)
			require.ErrorContains(t, err, "fat: ")
			require.ErrorContains(t, err, tc.want)
		})
	}
	_, err := (&fat.FileSystem{}).Plan(t.Context(), geometry(3<<40))
	require.ErrorIs(t, err, fat.ErrTooLarge)
	require.EqualError(t, err, "fat: volume of 3298534883328 bytes: too large for FAT: want at most 4294967295 sectors of 512 bytes, 2199023255040")
}

func TestDoesNotFit(t *testing.T) {
	tr := filetree.New()
	add(t, tr, "big", filetree.Entry{Size: 10 * mib})
	for _, tc := range []struct {
		fs   fat.FileSystem
		size int64
		want string
	}{
		{fat.FileSystem{}, mib, "vfat: content needs 10493952 bytes, volume has 1048576: 9445376 too few"},
		{fat.FileSystem{}, 512, "vfat: content needs 10493952 bytes"},
		{fat.FileSystem{Type: fat.FAT32}, 32 * mib, "FAT32 has no fewer than 65541 clusters: vfat: content needs 34101760 bytes, volume has 33554432: 547328 too few"},
		{fat.FileSystem{Type: fat.FAT12, ClusterSize: 512}, 32 * mib, "fat: FAT12 with clusters of 512 bytes: vfat: content needs 20480 clusters, volume has 4068: 16412 too few"},
	} {
		tc.fs.Tree = tr
		_, err := tc.fs.Plan(t.Context(), geometry(tc.size))
		var short *volume.SizeError
		require.ErrorAs(t, err, &short)
		require.ErrorContains(t, err, tc.want)
	}
}

// The numbers of clusters at which one type ends and the next begins, 4085 and
// 65525, less and plus what is kept away from them.
func TestBoundaries(t *testing.T) {
	for _, tc := range []struct {
		typ      fat.Type
		clusters int64
	}{
		{fat.FAT12, 4067}, {fat.FAT12, 4068}, {fat.FAT16, 4101}, {fat.FAT16, 4102},
		{fat.FAT16, 65507}, {fat.FAT16, 65508}, {fat.FAT32, 65541}, {fat.FAT32, 65542},
	} {
		for _, sector := range []int64{512, 4096} {
			t.Run(fmt.Sprint(tc.typ, tc.clusters, sector), func(t *testing.T) {
				g := geometry(0)
				g.SectorSize = int(sector)
				var ok bool
				g.Size, ok = fat.SizeOf(tc.typ, sector, sector, tc.clusters)
				require.True(t, ok)
				img, _ := build(t, &fat.FileSystem{Tree: tree(t, sample), Type: tc.typ, ClusterSize: int(sector)}, g)
				require.Contains(t, fsck(t, img), fmt.Sprintf("/%d clusters", tc.clusters))
				require.Contains(t, run(t, "blkid", "-p", "-o", "export", img), "VERSION="+tc.typ.String()+"\n")
			})
		}
	}
}

// boot is what of a boot sector tells the choices.
type boot struct {
	Sector, Cluster, Type int
	Media                 byte
	Heads, PerTrack       uint16
}

func readBoot(t *testing.T, img string) boot {
	t.Helper()
	f, err := os.Open(img)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, 512)
	_, err = io.ReadFull(f, b)
	require.NoError(t, err)
	le := binary.LittleEndian
	r := boot{Sector: int(le.Uint16(b[11:])), Media: b[21], Heads: le.Uint16(b[26:]), PerTrack: le.Uint16(b[24:])}
	r.Cluster = r.Sector * int(b[13])
	at := 54
	if string(b[82:87]) == "FAT32" {
		at = 82
	}
	_, err = fmt.Sscanf(string(b[at:at+5]), "FAT%d", &r.Type)
	require.NoError(t, err)
	return r
}

// The type, the size of clusters, the medium and the geometry are mkfs.fat's.
func TestChoosesAsMkfs(t *testing.T) {
	for _, sector := range []int64{512, 4096} {
		for _, size := range []int64{
			360 * kib, 720 * kib, 1200 * kib, 1440 * kib, 2880 * kib,
			mib, 2 * mib, 4 * mib, 5 * mib, 9 * mib, 16 * mib, 17 * mib, 32 * mib, 33 * mib, 64 * mib, 100 * mib, 127 * mib, 130 * mib,
			200 * mib, 256 * mib, 257 * mib, 300 * mib, 511 * mib, 512 * mib, 600 * mib, gib, 2 * gib, 3 * gib, 8 * gib,
			9 * gib, 16 * gib, 17 * gib, 32 * gib, 33 * gib, 100 * gib, 1024 * gib,
		} {
			if sector == 4096 && (size > 64*gib || size < 4*mib) {
				continue // clusters beyond 32 KiB, diskettes of sectors that none had
			}
			if sector == 4096 && size == 64*mib {
				continue // mkfs.fat makes 4092 clusters, within the margin
			}
			name := fmt.Sprintf("%s/%d", t.TempDir(), size)
			require.NoError(t, os.WriteFile(name, nil, 0o644))
			require.NoError(t, os.Truncate(name, size))
			run(t, "mkfs.fat", "-S", fmt.Sprint(sector), name)
			img, _ := build(t, &fat.FileSystem{}, volume.Geometry{SectorSize: int(sector), Size: size, Seed: imagetest.Seed})
			require.Equal(t, readBoot(t, name), readBoot(t, img), "%d bytes in sectors of %d", size, sector)
			if size < gib {
				fsck(t, img)
			}
		}
	}
}

// A directory as large as one may be, and a root that is.
func TestLargeDirectories(t *testing.T) {
	for _, tc := range []struct {
		name   string
		format string
		n      int
		typ    fat.Type
	}{
		{"short names", "d/F%d", 65534, 0},
		{"long names", "d/long name %d", 21844, 0},
		{"root FAT16", "F%d", 65520, fat.FAT16},
		{"root FAT32", "F%d", 65536, fat.FAT32},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tr := filetree.New()
			for i := range tc.n {
				add(t, tr, fmt.Sprintf(tc.format, i), filetree.File(nil, 0o644))
			}
			img, info := build(t, &fat.FileSystem{Tree: tr, Type: tc.typ}, geometry(256*mib))
			require.LessOrEqual(t, int64(tc.n), info.Files)
			// fsck.vfat's time goes with the square of the number: 10 s for this.
			out := run(t, "mdir", "-b", "-/", "-i", img, "::")
			require.Equal(t, int(info.Files), strings.Count(out, "\n"))
		})
	}
}

// One more than a FAT16 root holds turns the volume into FAT32.
func TestRootBeyondFAT16(t *testing.T) {
	tr := filetree.New()
	for i := range 65521 {
		add(t, tr, fmt.Sprintf("F%d", i), filetree.File(nil, 0o644))
	}
	img, _ := build(t, &fat.FileSystem{Tree: tr}, geometry(256*mib))
	require.Equal(t, 32, readBoot(t, img).Type)
}

// A file of nearly 4 GiB, sparse, on a terabyte.
func TestSparse(t *testing.T) {
	tr := filetree.New()
	e := filetree.Entry{Size: 4*gib - 32*kib, Data: []filetree.Range{{Offset: gib, Length: 5}, {Offset: 4*gib - 33*kib, Length: 3}}}
	e.Open = func() (filetree.Content, error) { return &sparse{size: e.Size}, nil }
	add(t, tr, "big", e)
	add(t, tr, "after", filetree.File([]byte("after"), 0o644))
	img, info := build(t, &fat.FileSystem{Tree: tr}, geometry(1024*gib))
	require.Equal(t, int64(1024*gib), info.Size)
	require.Less(t, allocated(t, img), 3*mib)
	require.Contains(t, fsck(t, img), "2 files, 131073/")
	require.Equal(t, "after", run(t, "mtype", "-i", img, "::after"))
	f, err := diskfs(t, fat.FAT32, img, info.Size).Open("big")
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, 10)
	_, err = f.(io.Seeker).Seek(gib-2, io.SeekStart)
	require.NoError(t, err)
	_, err = io.ReadFull(f, b)
	require.NoError(t, err)
	require.Equal(t, "\x00\x00xxxxx\x00\x00\x00", string(b))
}

// A file may have 4 GiB less 1. fsck.vfat 4.2 computes the length of its clusters
// in 32 bits and finds none, which is its error alone.
func TestLargestFile(t *testing.T) {
	tr := filetree.New()
	add(t, tr, "big", filetree.Entry{Size: 4*gib - 1, Data: []filetree.Range{}})
	add(t, tr, "zafter", filetree.File([]byte("after"), 0o644))
	img, _ := build(t, &fat.FileSystem{Tree: tr}, geometry(8*gib))
	require.Contains(t, run(t, "mdir", "-i", img, "::big"), " 4294967295 ")
	require.Equal(t, "after", run(t, "mtype", "-i", img, "::zafter"))
	out, err := exec.Command(fixture.RequireTool(t, "fsck.vfat"), "-n", img).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "File size is 4294967295 bytes, cluster chain length is 0 bytes")
}

// Clusters of 64 KiB, which fatgen103 does not allow, are not taken because they
// leave a little more room.
func TestClustersForTightVolume(t *testing.T) {
	tr := filetree.New()
	add(t, tr, "big", filetree.Entry{Size: 4*gib - mib, Data: []filetree.Range{}})
	fs := &fat.FileSystem{Tree: tr}
	p, err := fs.Plan(t.Context(), volume.Geometry{SectorSize: 512})
	require.NoError(t, err)
	img, _ := build(t, fs, geometry((p.Info().Size+mib-1)/mib*mib))
	require.Equal(t, 32*int(kib), readBoot(t, img).Cluster)
	fsck(t, img)
}

// sparse is a content of x that can only be read where it is data.
type sparse struct{ pos, size int64 }

func (s *sparse) Read(p []byte) (int, error) {
	if s.pos >= s.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), s.size-s.pos))
	for i := range n {
		p[i] = 'x'
	}
	s.pos += int64(n)
	return n, nil
}

func (s *sparse) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += s.pos
	case io.SeekEnd:
		off += s.size
	}
	s.pos = off
	return off, nil
}

func (s *sparse) Close() error { return nil }

func TestTimesAndAttributes(t *testing.T) {
	tr := filetree.New()
	for name, e := range map[string]filetree.Entry{
		"1970":      {Mode: 0o644},
		"1979":      {Mode: 0o444, ModTime: time.Date(1979, 12, 31, 23, 59, 59, 0, time.UTC)},
		"2000":      {Mode: 0o644, ModTime: time.Date(2000, 2, 29, 1, 2, 3, 0, time.FixedZone("", 3600))},
		"2107":      {Mode: 0o644, ModTime: time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)},
		"2300":      {Mode: 0o644, ModTime: time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)},
		"directory": {Mode: fs.ModeDir | 0o555},
	} {
		add(t, tr, name, e)
	}
	img, _ := build(t, &fat.FileSystem{Tree: tr}, geometry(mib))
	fsck(t, img)
	dir := run(t, "mdir", "-a", "-i", img, "::")
	for _, want := range []string{
		"1970                 0 1980-01-01   0:00", "1979                 0 1980-01-01   0:00", "2000                 0 2000-02-29   0:02",
		"2107                 0 2107-12-31  23:59", "2300                 0 2107-12-31  23:59", "DIRECT~1     <DIR>     1980-01-01   0:00",
	} {
		require.Contains(t, dir, want)
	}
	require.Equal(t, "  A          ::/1970\n  A    R     ::/1979\n", run(t, "mattrib", "-i", img, "::1970", "::1979"))
}

// The same input gives the same bytes, whatever the order in which a tree grew.
func TestReproducible(t *testing.T) {
	var first []byte
	for range 5 { // map order differs
		img, _ := build(t, &fat.FileSystem{Tree: tree(t, sample), Label: "L"}, geometry(2*mib))
		b, err := os.ReadFile(img)
		require.NoError(t, err)
		if first == nil {
			first = b
		}
		require.Equal(t, brief(string(first)), brief(string(b)))
	}
}

// A plan can be written twice.
func TestWriteTwice(t *testing.T) {
	p, err := (&fat.FileSystem{Tree: tree(t, sample)}).Plan(t.Context(), geometry(0))
	require.NoError(t, err)
	var images [2]memory
	for i := range images {
		images[i] = make(memory, p.Info().Size)
		w := volume.NewWriter(images[i], p.Info().Size)
		require.NoError(t, p.Write(t.Context(), w))
		require.NoError(t, w.Flush())
		require.NoError(t, w.Close())
	}
	require.Equal(t, brief(string(images[0])), brief(string(images[1])))
}

type memory []byte

func (m memory) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }

// A source that shrinks between plan and write is named.
func TestSourceShrinks(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/file", []byte("content"), 0o644))
	tr, err := filetree.FromDir(dir)
	require.NoError(t, err)
	p, err := (&fat.FileSystem{Tree: tr}).Plan(t.Context(), geometry(mib))
	require.NoError(t, err)
	require.NoError(t, os.Truncate(dir+"/file", 3))
	w := volume.NewWriter(make(memory, mib), mib)
	defer w.Close()
	err = p.Write(t.Context(), w)
	require.ErrorIs(t, err, filetree.ErrChanged)
	var path *filetree.PathError
	require.ErrorAs(t, err, &path)
	require.Equal(t, filepath.Join(dir, "file"), path.Path)
}

func TestWriteCancelled(t *testing.T) {
	p, err := (&fat.FileSystem{Tree: tree(t, sample)}).Plan(t.Context(), geometry(mib))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := volume.NewWriter(make(memory, mib), mib)
	defer w.Close()
	require.ErrorIs(t, p.Write(ctx, w), ctx.Err())
}
