package squashfs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/ext4"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/internal/sample"
	"github.com/drivebay/drivebay/image/squashfs"
)

func TestToolsKnowIt(t *testing.T) {
	image := write(t, &squashfs.FileSystem{Tree: small(t), Level: 9, BlockSize: 64 << 10}, 4<<20)
	require.Contains(t, imagetest.Tool(t, "blkid", "-p", image), ` VERSION="4.0" TYPE="squashfs" USAGE="filesystem"`)
	out := imagetest.Tool(t, "unsquashfs", "-s", image)
	for _, line := range []string{
		"Creation or last append time Thu Feb 29 12:00:00 2024", "Compression zstd", "\tcompression-level 9", "Block size 65536",
		"Filesystem is exportable via NFS", "Duplicates are removed", "Number of fragments 1", "Number of inodes 19", "Number of ids 1",
	} {
		require.Contains(t, out, line+"\n")
	}
	list := imagetest.Tool(t, "unsquashfs", "-ll", image)
	require.Regexp(t, `(?m)^-rw-r--r-- root/root +8193 2024-02-29 12:00 squashfs-root/noise/8193$`, list)
	require.Len(t, regexp.MustCompile(`(?m)^[-d]`).FindAllString(list, -1), 19)
}

// An image is as small as that of mksquashfs, to a few bytes where nothing is
// compressed.
func TestAsSmallAsMksquashfs(t *testing.T) {
	tr := everything(t)
	dir := unsquash(t, write(t, &squashfs.FileSystem{Tree: tr}, 0))
	require.NoError(t, os.Remove(filepath.Join(dir, "holes/huge"))) // of which mksquashfs reads all holes
	tr, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer tr.Close()
	for _, tc := range []struct {
		fs   *squashfs.FileSystem
		args []string
		most float64
	}{
		{&squashfs.FileSystem{Compression: squashfs.None}, []string{"-noI", "-noD", "-noF", "-noX"}, 1.01},
		{&squashfs.FileSystem{}, []string{"-comp", "zstd", "-Xcompression-level", "3"}, 1.02},
		{&squashfs.FileSystem{Compression: squashfs.Gzip}, []string{"-comp", "gzip", "-Xcompression-level", "6"}, 1.02},
	} {
		tc.fs.Tree = tr
		p, err := tc.fs.Plan(t.Context(), imagetest.Geometry(0))
		require.NoError(t, err)
		peer := filepath.Join(t.TempDir(), "peer")
		imagetest.Tool(t, "mksquashfs", append([]string{dir, peer, "-no-progress", "-quiet"}, tc.args...)...)
		info, err := os.Stat(peer)
		require.NoError(t, err)
		require.LessOrEqual(t, float64(p.Info().Size), float64(info.Size())*tc.most, "mksquashfs: %d bytes", info.Size())
		require.NoError(t, tc.fs.Close())
	}
}

// Tables of more than a block: of fragments, attributes, owners and inodes.
func TestLongTables(t *testing.T) {
	tr := filetree.New()
	for i := range 3000 {
		e := filetree.File(sample.Noise(uint64(i), 3000), 0o644)
		e.UID, e.GID, e.ModTime = uint32(i), uint32(i+100000), imagetest.Created
		e.Xattrs = []filetree.Xattr{{Name: "user.number", Value: fmt.Append(nil, i)}}
		_, err := tr.Add(fmt.Sprintf("%04d", i), e)
		require.NoError(t, err)
	}
	for _, compression := range []squashfs.Compression{squashfs.Zstd, squashfs.None} {
		fs := &squashfs.FileSystem{Tree: tr, BlockSize: 4096, Compression: compression}
		requireSame(t, tr, mount(t, fs))
		require.Contains(t, imagetest.Tool(t, "unsquashfs", "-s", write(t, fs, 0)), "Number of fragments 3000\n")
	}
}

func TestMostOwners(t *testing.T) {
	tr := filetree.New()
	for i := range 32767 {
		e := filetree.Entry{Mode: 0o644, UID: uint32(2*i + 1), GID: uint32(2*i + 2), ModTime: imagetest.Created}
		_, err := tr.Add(fmt.Sprintf("%05d", i), e)
		require.NoError(t, err)
	}
	dir := mount(t, &squashfs.FileSystem{Tree: tr})
	var st unix.Stat_t
	require.NoError(t, unix.Stat(filepath.Join(dir, "32766"), &st))
	require.Equal(t, []uint32{65533, 65534}, []uint32{st.Uid, st.Gid})
}

func TestSectorsOf4KiB(t *testing.T) {
	fixture.RequireFS(t, "squashfs")
	tr := small(t)
	fs := &squashfs.FileSystem{Tree: tr}
	defer fs.Close()
	d := fixture.Disk(t, image.Layout{SectorSize: 4096, Partitions: []image.Partition{{Name: "root", Content: fs}}})
	requireSame(t, tr, d.Mount(1, fixture.ReadOnly()).Path()+"/")
}

func TestTemporaryDirectoryIsFull(t *testing.T) {
	d := fixture.Disk(t, image.Layout{Partitions: []image.Partition{
		{Name: "small", Size: image.MiB, Content: &ext4.FileSystem{JournalSize: ext4.None}},
	}})
	fs := &squashfs.FileSystem{Tree: many(t, "%d-%s", 1000), TempDir: d.Mount(1).Path()}
	for i := range 20 {
		_, err := fs.Tree.Add(fmt.Sprintf("noise/%d", i), filetree.File(sample.Noise(uint64(i), 300000), 0o644))
		require.NoError(t, err)
	}
	_, err := fs.Plan(t.Context(), imagetest.Geometry(0))
	require.ErrorIs(t, err, unix.ENOSPC)
	require.ErrorContains(t, err, "squashfs: temporary file: write ")
	require.NoError(t, fs.Close())
}
