package iso9660_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/iso9660"
)

// mount has the kernel mount a file system on a disk of its own, and returns where.
func mount(t testing.TB, fs *iso9660.FileSystem, options ...fixture.Option) string {
	t.Helper()
	fixture.RequireFS(t, "iso9660")
	d := fixture.Disk(t, image.Layout{Table: image.NoTable, Align: 2048, Partitions: []image.Partition{{Content: fs}}})
	return d.Mount(0, append(options, fixture.ReadOnly())...).Path() + "/"
}

// Linux gives each name of a file an inode of its own.
func notHardLinks(d filetree.Difference) bool { return d.Aspect == filetree.AspectLinks }

func TestKernelSeesEverything(t *testing.T) {
	tr := everything(t)
	addLongTargets(t, tr)
	dir := mount(t, &iso9660.FileSystem{Tree: tr})
	requireSame(t, tr, dir, func(d filetree.Difference) bool {
		// Linux before 6.9 counts seconds in 32 bits here.
		return notHardLinks(d) || d.Path == "times/2" && d.Got == "1970-01-01T00:00:00Z"
	})
	for path, links := range map[string]uint64{"sizes/2049": 3, "links/a/b/c/size": 3, "sizes/2048": 1, "modes": 8, "deep": 3} {
		var st unix.Stat_t
		require.NoError(t, unix.Lstat(filepath.Join(dir, path), &st))
		require.Equal(t, links, uint64(st.Nlink), path)
	}
}

// TestKernelReadsExtents has the kernel read a file of three extents.
func TestKernelReadsExtents(t *testing.T) {
	const size = 9<<30 + 4321
	tr := filetree.New()
	e := sample.Sparse(size, filetree.Range{Offset: 0, Length: 1000}, filetree.Range{Offset: 4<<30 - 5000, Length: 10000},
		filetree.Range{Offset: 8<<30 - 5000, Length: 10000}, filetree.Range{Offset: size - 2000, Length: 2000})
	e.ModTime = created
	_, err := tr.Add("huge", e)
	require.NoError(t, err)
	_, err = tr.Add("zzz", filetree.File([]byte("behind"), 0o644))
	require.NoError(t, err)
	dir := mount(t, &iso9660.FileSystem{Tree: tr, Joliet: true})
	f, err := os.Open(dir + "huge")
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	require.Equal(t, int64(size), info.Size())
	for _, r := range e.Data {
		got := make([]byte, r.Length)
		_, err := f.ReadAt(got, r.Offset)
		require.NoError(t, err)
		require.Equal(t, sample.SparseBytes(r), got)
	}
	got, err := os.ReadFile(dir + "zzz")
	require.NoError(t, err)
	require.Equal(t, "behind", string(got))
}

// TestKernelReadsJoliet compares names and contents, which is all that there is.
func TestKernelReadsJoliet(t *testing.T) {
	tr := plain(t)
	dir := mount(t, &iso9660.FileSystem{Tree: tr, Joliet: true, NoRockRidge: true, MapNames: true}, fixture.MountWith("utf8"))
	requireSame(t, tr, dir, notPlain)
}

// TestKernelReadsLevels compares names of the levels, which the kernel shows in
// lower case.
func TestKernelReadsLevels(t *testing.T) {
	for _, level := range []iso9660.Level{iso9660.Level1, iso9660.Level3} {
		tr := filetree.New()
		for _, name := range []string{"readme", "a.txt", "dir_1/b", "dir_1/" + strings.Repeat("x", 8) + ".123"} {
			_, err := tr.Add(name, filetree.File([]byte(name), 0o644))
			require.NoError(t, err)
		}
		requireSame(t, tr, mount(t, &iso9660.FileSystem{Tree: tr, NoRockRidge: true, Level: level}), notPlain)
	}
}
