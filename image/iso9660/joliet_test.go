package iso9660_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/drivebay/drivebay/fixture"
	"github.com/drivebay/drivebay/image"
	"github.com/drivebay/drivebay/image/filetree"
	"github.com/drivebay/drivebay/image/iso9660"
)

// TestXorrisoReadsJoliet has xorriso unpack the names of Joliet, which it prefers to
// those of the level.
func TestXorrisoReadsJoliet(t *testing.T) {
	fixture.RequireRoot(t)
	tr := plain(t)
	name := write(t, &iso9660.FileSystem{Tree: tr, Joliet: true, NoRockRidge: true, MapNames: true}, 0)
	dir := filepath.Join(t.TempDir(), "root")
	out := tool(t, "xorriso", "-abort_on", "WARNING", "-osirrox", "on", "-indev", name, "-toc", "-extract", "/", dir)
	require.Contains(t, out, "ISO offers   : Joliet\nISO loaded   : Joliet\n")
	requireSame(t, tr, dir, notPlain)
}

// TestIsoinfoReadsBoth has isoinfo list both hierarchies, find them both in the path
// tables, and read a file.
func TestIsoinfoReadsBoth(t *testing.T) {
	tr := filetree.New()
	root := filetree.Dir(0o755)
	root.ModTime = created
	_, err := tr.Add(".", root)
	require.NoError(t, err)
	e := filetree.File([]byte("content"), 0o640)
	e.ModTime, e.UID, e.GID = created, 10, 20
	_, err = tr.Add("Some Dir/A long name, with commas.text", e)
	require.NoError(t, err)
	link := filetree.Symlink("/usr/../lib")
	link.ModTime = created
	_, err = tr.Add("link", link)
	require.NoError(t, err)
	name := write(t, &iso9660.FileSystem{Tree: tr, Joliet: true, VolumeID: "Both", PublisherID: "drivebay", Level: iso9660.Level1}, 0)

	list := tool(t, "isoinfo", "-R", "-l", "-i", name) // with owners in octal
	require.Contains(t, list, "-rw-r-----   1   12   24               7 Feb 29 2024")
	require.Contains(t, list, "A long name, with commas.text")
	require.Contains(t, list, "link -> /usr/../lib")
	require.Contains(t, tool(t, "isoinfo", "-f", "-i", name), "/LINK.;1\n/SOME_DIR\n/SOME_DIR/A_LONG_N.TEX;1\n")
	require.Equal(t, "/Some Dir\n/Some Dir/A long name, with commas.text\n", tool(t, "isoinfo", "-J", "-f", "-i", name))
	require.Equal(t, "content", tool(t, "isoinfo", "-R", "-x", "/Some Dir/A long name, with commas.text", "-i", name))
	require.Contains(t, list, "[     25 02]  Some Dir")
	require.Contains(t, tool(t, "isoinfo", "-p", "-i", name), "   2:    1 19 SOME_DIR\n") // 25 in hexadecimal
	out := tool(t, "isoinfo", "-d", "-i", name)
	for _, want := range []string{"Volume id: Both\n", "Publisher id: drivebay\n", "Joliet with UCS level 3 found\n", "Rock Ridge signatures version 1 found\n"} {
		require.Contains(t, out, want)
	}
	out = tool(t, "blkid", "-p", "-o", "export", name)
	for _, want := range []string{"UUID=2024-02-29-12-00-00-00\n", "LABEL=Both\n", "TYPE=iso9660\n", "PUBLISHER_ID=drivebay\n"} {
		require.Contains(t, out, want)
	}
}

// TestDiskFSReadsEverything has go-diskfs 1.9.4 read the volume back, which knows
// no hard links, times or devices, and strips the dot that a name begins with.
func TestDiskFSReadsEverything(t *testing.T) {
	tr := plain(t)
	_, err := tr.Add("link", filetree.Symlink("many/../dir"))
	require.NoError(t, err)
	d, err := image.Open(write(t, &iso9660.FileSystem{Tree: tr}, 0))
	require.NoError(t, err)
	defer d.Close()
	files, err := d.FS(0)
	require.NoError(t, err)
	got, err := filetree.FromFS(files)
	require.NoError(t, err)
	defer got.Close()
	diff, err := filetree.Diff(t.Context(), tr, got, filetree.DiffOptions{
		Aspects: filetree.DefaultAspects &^ (filetree.AspectModTime | filetree.AspectLinks),
		Skip:    func(path string) bool { return path == ".hidden" || path == "hidden" },
	})
	require.NoError(t, err)
	require.Empty(t, diff)
}

// TestManyFiles has directories and path tables of many blocks.
func TestManyFiles(t *testing.T) {
	tr := filetree.New()
	for i := range 5000 {
		e := filetree.Entry{Mode: 0o644, ModTime: created}
		_, err := tr.Add(fmt.Sprintf("%s%d/%s%d", strings.Repeat("d", i%100), i%1500, strings.Repeat("f", i%200), i), e)
		require.NoError(t, err)
	}
	requireSame(t, tr, extract(t, write(t, &iso9660.FileSystem{Tree: tr, Joliet: true, MapNames: true}, 0)), nil)
}
