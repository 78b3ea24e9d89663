package erofs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/erofs"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/internal/imagetest"
	"github.com/drivebay/drivebay/image/spec"
)

// notExtracted is what fsck.erofs 1.5 does not give the files that it extracts:
// attributes, hard links, and holes, which it leaves out altogether.
const notExtracted = filetree.AspectXattrs | filetree.AspectLinks

// notExtractable is what has a setuid bit, which fsck.erofs 1.5 loses by setting the
// owner last, and what has a time that the file system it is extracted to may not have.
var notExtractable = []string{"modes/2", "modes/3", "modes/5", "times/5", "times/7"}

func TestFsckExtractsEverything(t *testing.T) {
	tr := everything(t)
	addLongXattrs(t, tr)
	dir := extract(t, write(t, &erofs.FileSystem{Tree: tr}, 0))
	imagetest.RequireDir(t, tr, dir, filetree.DiffOptions{
		Aspects: filetree.DefaultAspects &^ notExtracted,
		Skip:    imagetest.Skip(append(notExtractable, "holes")...),
	})
}

func TestToolsKnowIt(t *testing.T) {
	fs := &erofs.FileSystem{Tree: everything(t), Label: "a label"}
	name := write(t, fs, 64<<20)
	info := plan(t, fs).Info()
	require.Contains(t, tool(t, "blkid", "-p", name), fmt.Sprintf(` LABEL="a label" UUID=%q`, info.UUID))
	out := tool(t, "dump.erofs", "-s", name)
	for _, line := range []string{
		"Filesystem magic number:                      0xE0F5E1E2",
		fmt.Sprintf("Filesystem blocks:                            %d", info.Used/4096),
		"Filesystem inode metadata start block:        0",
		"Filesystem shared xattr metadata start block: 1",
		"Filesystem created:                           Thu Feb 29 12:00:00 2024",
		"Filesystem features:                          sb_csum mtime chunked_file ",
		"Filesystem UUID:                              " + info.UUID,
	} {
		require.Contains(t, out, line+"\n")
	}
	for path, want := range map[string][]string{
		"/sizes/4097":         {"Links: 3   Layout: 2 ", "Inode size: 64   Extent size: 0   Xattr size: 0"},
		"/sizes/8192":         {"Links: 1   Layout: 0 "},
		"/sizes/4095":         {"Layout: 0 "},
		"/times/created":      {"Layout: 2 ", "Inode size: 32 "},
		"/holes/all":          {"Layout: 4 "},
		"/xattrs/shared1":     {"Xattr size: 16"},
		"/xattrs/empty-value": {"Xattr size: 20"},
	} {
		out := tool(t, "dump.erofs", "--path="+path, name)
		for _, w := range want {
			require.Contains(t, out, w, path)
		}
	}
}

func TestOpenAgreesWithBlkid(t *testing.T) {
	for _, fs := range []*erofs.FileSystem{{Label: "a label"}, {Tree: smaller(t), BlockSize: 512}} {
		name := write(t, fs, 0)
		d, err := image.Open(name)
		require.NoError(t, err)
		defer d.Close()
		p := d.Partitions[0]
		label := ""
		if p.Label != "" {
			label = fmt.Sprintf(` LABEL=%q`, p.Label)
		}
		require.Regexp(t, fmt.Sprintf(`:%s UUID=%q.* TYPE=%q USAGE="filesystem"`, label, p.UUID, p.Format), tool(t, "blkid", "-p", name))
		require.Equal(t, []string{"erofs", fs.Label, plan(t, fs).Info().UUID}, []string{p.Format, p.Label, p.UUID})
	}
}

// An image is as small as that of mkfs.erofs, but for a block or two: its metadata
// begins in a block of its own, unless no file has more than a tail.
func TestAsSmallAsMkfs(t *testing.T) {
	fixture.RequireRoot(t)
	dir := extract(t, write(t, &erofs.FileSystem{Tree: everything(t)}, 0))
	for _, name := range []string{"holes", "names"} { // the latter has one of 255 bytes, which mkfs.erofs 1.5 cannot read
		require.NoError(t, os.RemoveAll(filepath.Join(dir, name)))
	}
	tr, err := filetree.FromDir(dir)
	require.NoError(t, err)
	defer tr.Close()
	peer := filepath.Join(t.TempDir(), "peer")
	tool(t, "mkfs.erofs", "--quiet", peer, dir)
	info, err := os.Stat(peer)
	require.NoError(t, err)
	require.LessOrEqual(t, plan(t, &erofs.FileSystem{Tree: tr}).Info().Size, info.Size()+2*4096)
}

// The spec in testdata is built by package image, checked by fsck.erofs and mounted.
func TestSpec(t *testing.T) {
	fixture.RequireFS(t, "erofs")
	fixture.RequireKernel(t, 6, 4) // for the small blocks
	s, err := spec.Load("testdata/disk.yaml")
	require.NoError(t, err)
	l, err := s.Layout(t.Context())
	require.NoError(t, err)
	defer l.Close()
	d := fixture.Disk(t, l.Layout)
	root := d.Mount(1, fixture.ReadOnly()).Path()
	b, err := os.ReadFile(filepath.Join(root, "etc/hostname"))
	require.NoError(t, err)
	require.Equal(t, "drivebay\n", string(b))
	require.FileExists(t, filepath.Join(d.Mount(2, fixture.ReadOnly()).Path(), "machine-id"))
	tool(t, "fsck.erofs", d.Partition(1).Path())
	require.Contains(t, tool(t, "blkid", "-p", d.Partition(1).Path()), ` LABEL="root" UUID="8f1c2c3e-0000-4000-8000-000000000007"`)
}
